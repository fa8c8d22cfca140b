#include "worker/fetch/token.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "worker/parse/strict_json.h"

namespace bulkhead::worker {
namespace {

constexpr char kClientId[] = "bulkhead";

// Registries whose token service is known to be elsewhere.
struct KnownService {
  absl::string_view registry;
  absl::string_view service;
};
constexpr KnownService kKnownServices[] = {
    {"docker.io", "auth.docker.io"},
    {"registry.gitlab.com", "gitlab.com"},
};

bool IsNamedByRoot(const UrlParts& service, const FetchEndpoint& endpoint,
                   const FetchRequest& request) {
  std::string host = ShowHost(service);
  // A step down from https would show the credentials to everybody on the way.
  if (service.scheme != "https" && !endpoint.plain_http) return false;
  if (std::count(request.token_hosts.begin(), request.token_hosts.end(), host) > 0) return true;
  return std::any_of(std::begin(kKnownServices), std::end(kKnownServices),
                     [&](const KnownService& known) {
                       return service.scheme == "https" && host == known.service &&
                              CanonicalHost(endpoint.host) == known.registry;
                     });
}

}  // namespace

bool IsTokenText(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
}

absl::StatusOr<TokenService> FindTokenService(const Challenge& challenge,
                                              const FetchEndpoint& endpoint,
                                              const FetchRequest& request) {
  TokenService service{.url = challenge.realm};
  absl::StatusOr<UrlParts> realm = SplitUrl(challenge.realm);
  if (!realm.ok() || absl::StrContains(challenge.realm, "#")) {
    return absl::PermissionDeniedError("names a token service that is no URL");
  }
  service.host = *realm;
  BULKHEAD_ASSIGN_OR_RETURN(UrlParts registry, SplitUrl(BaseUrl(endpoint)));
  service.trusted = *realm == registry || IsNamedByRoot(*realm, endpoint, request);
  bool same_host = realm->host == registry.host && realm->scheme == registry.scheme;
  if (service.trusted || same_host || realm->scheme == "https") return service;
  return absl::PermissionDeniedError("names a token service on another host without https");
}

std::string TokenQuery(const Challenge& challenge, const FetchEndpoint& endpoint,
                       absl::string_view repository) {
  // A mirror may keep the repository in a place of its own.
  absl::string_view place = endpoint.path;
  if (!absl::ConsumePrefix(&place, "/v2/")) place = "";
  std::string scope =
      absl::StrCat("repository:", place, place.empty() ? "" : "/", repository, ":pull");
  std::string query = absl::StrCat("scope=", EscapeQuery(scope));
  if (!challenge.service.empty()) {
    absl::StrAppend(&query, "&service=", EscapeQuery(challenge.service));
  }
  return query;
}

std::string RefreshForm(absl::string_view query, absl::string_view identity_token) {
  return absl::StrCat("grant_type=refresh_token&client_id=", kClientId, "&", query,
                      "&refresh_token=", EscapeQuery(identity_token));
}

absl::StatusOr<std::string> ParseToken(absl::string_view document) {
  BULKHEAD_ASSIGN_OR_RETURN(Json json, ParseStrictJson(document));
  BULKHEAD_ASSIGN_OR_RETURN(std::string token, StringMember(json, "token"));
  if (token.empty()) {
    BULKHEAD_ASSIGN_OR_RETURN(token, StringMember(json, "access_token"));
  }
  if (!IsTokenText(token)) return absl::InvalidArgumentError("token service: gave no token");
  return token;
}

}  // namespace bulkhead::worker
