#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "tools/config/settings.h"

namespace bulkhead::tools {

// Where streams are served.
struct StreamingSocket {
  base::UniqueFd listen;
  base::UniqueFd tls;  // certificate chain and key in PEM, a sealed memfd; empty: no TLS
  std::string url;     // "http://127.0.0.1:34567"
};

// Binds and listens. The key's file must be root's alone. Errors name address or file.
absl::StatusOr<StreamingSocket> ListenForStreams(const StreamingSettings& settings);

}  // namespace bulkhead::tools
