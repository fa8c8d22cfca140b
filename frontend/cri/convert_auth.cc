#include "frontend/cri/convert_auth.h"

#include <string.h>

#include "absl/strings/escaping.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "frontend/cri/convert_common.h"
#include "validate/auth.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

// Base64 of "user:password", as Docker's configuration files have it; some end in NUL bytes.
absl::Status FromBase64(const std::string& text, schema::RegistryAuth::Builder to) {
  std::string decoded;
  const bool whole = absl::Base64Unescape(text, &decoded);
  while (!decoded.empty() && decoded.back() == '\0') decoded.pop_back();
  const size_t colon = decoded.find(':');
  const bool good = whole && colon != std::string::npos;
  if (good) {
    to.setUsername(Text(decoded.substr(0, colon)));
    to.setPassword(Text(decoded.substr(colon + 1)));
  }
  explicit_bzero(decoded.data(), decoded.size());
  return good ? absl::OkStatus() : validate::Refuse("auth.auth", "is not base64 of user:password");
}

}  // namespace

absl::Status ToAuth(const v1::AuthConfig& from, schema::RegistryAuth::Builder to) {
  BULKHEAD_ASSIGN_OR_RETURN(
      const std::string server,
      validate::RegistryOfAddress("auth.server_address", from.server_address()));
  to.setServer(Text(server));
  if (!from.registry_token().empty()) {
    to.setRegistryToken(Text(from.registry_token()));
  } else if (!from.identity_token().empty()) {
    to.setIdentityToken(Text(from.identity_token()));
  } else if (!from.username().empty() || !from.password().empty()) {
    to.setUsername(Text(from.username()));
    to.setPassword(Text(from.password()));
  } else if (!from.auth().empty()) {
    BULKHEAD_RETURN_IF_ERROR(FromBase64(from.auth(), to));
  }
  return validate::CheckAuth("auth", to.asReader());
}

}  // namespace bulkhead::frontend
