#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace boost::asio::ssl {
class context;
}

namespace bulkhead::streaming {

struct DeleteTls {
  void operator()(boost::asio::ssl::context* context) const;
};
using TlsPtr = std::unique_ptr<boost::asio::ssl::context, DeleteTls>;

// TLS 1.2 and later with the certificate chain and the key in pem. INVALID_ARGUMENT: they are not
// there or do not fit.
absl::StatusOr<TlsPtr> MakeTls(absl::string_view pem);

}  // namespace bulkhead::streaming
