#include "streaming/tls.h"

#include <openssl/ssl.h>

#include "streaming/wire.h"

namespace bulkhead::streaming {

void DeleteTls::operator()(asio::ssl::context* context) const { delete context; }

absl::StatusOr<TlsPtr> MakeTls(absl::string_view pem) {
  TlsPtr context(new asio::ssl::context(asio::ssl::context::tls_server));
  boost::system::error_code error;
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  const asio::const_buffer bytes(pem.data(), pem.size());
  context->use_certificate_chain(bytes, error);
  if (error) return absl::InvalidArgumentError("certificate: " + error.message());
  context->use_private_key(bytes, asio::ssl::context::pem, error);
  if (error) return absl::InvalidArgumentError("key: " + error.message());
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return absl::InvalidArgumentError("certificate and key do not fit");
  }
  return context;
}

}  // namespace bulkhead::streaming
