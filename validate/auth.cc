#include "validate/auth.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "validate/reference.h"
#include "validate/text.h"

namespace bulkhead::validate {
namespace {

constexpr size_t kMaxUsernameBytes = 1024;
constexpr size_t kMaxSecretBytes = 32 << 10;

// What stands in an Authorization header as it is.
absl::Status CheckToken(absl::string_view field, absl::string_view token) {
  BULKHEAD_RETURN_IF_ERROR(CheckLine(field, token, kMaxSecretBytes));
  if (std::all_of(token.begin(), token.end(), absl::ascii_isgraph)) return absl::OkStatus();
  return Refuse(field, "holds what no token has");
}

}  // namespace

absl::Status CheckAuth(absl::string_view field, schema::RegistryAuth::Reader auth) {
  auto name = [field](absl::string_view part) { return absl::StrCat(field, ".", part); };
  const absl::string_view username = View(auth.getUsername());
  BULKHEAD_RETURN_IF_ERROR(CheckLine(name("username"), username, kMaxUsernameBytes));
  // Basic authorization could not tell where it ends.
  if (absl::StrContains(username, ':')) return Refuse(name("username"), "holds a colon");
  BULKHEAD_RETURN_IF_ERROR(CheckLine(name("password"), View(auth.getPassword()), kMaxSecretBytes));
  BULKHEAD_RETURN_IF_ERROR(
      CheckLine(name("identity_token"), View(auth.getIdentityToken()), kMaxSecretBytes));
  BULKHEAD_RETURN_IF_ERROR(CheckToken(name("registry_token"), View(auth.getRegistryToken())));
  const absl::string_view server = View(auth.getServer());
  if (server.empty() || IsRegistryName(server)) return absl::OkStatus();
  return Refuse(name("server_address"), "names no registry");
}

absl::StatusOr<std::string> RegistryOfAddress(absl::string_view field, absl::string_view address) {
  if (address.empty()) return std::string();
  if (!absl::ConsumePrefix(&address, "https://")) absl::ConsumePrefix(&address, "http://");
  std::string host =
      absl::AsciiStrToLower(address.substr(0, std::min(address.find('/'), address.size())));
  if (host == "index.docker.io") host = kDefaultRegistry;
  if (!IsRegistryName(host)) return Refuse(field, "names no registry");
  return host;
}

}  // namespace bulkhead::validate
