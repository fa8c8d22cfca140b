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

constexpr absl::string_view kScheme = "bearer ";

// Takes one key=value or key="value" from the front. False: no further one.
bool NextParameter(absl::string_view* text, std::string* key, std::string* value) {
  *text = absl::StripLeadingAsciiWhitespace(*text);
  size_t equals = text->find('=');
  if (equals == absl::string_view::npos) return false;
  *key = absl::AsciiStrToLower(absl::StripAsciiWhitespace(text->substr(0, equals)));
  text->remove_prefix(equals + 1);
  value->clear();
  bool quoted = absl::ConsumePrefix(text, "\"");
  while (!text->empty()) {
    char c = text->front();
    text->remove_prefix(1);
    if (c == (quoted ? '"' : ',')) break;
    if (quoted && c == '\\' && !text->empty()) {
      c = text->front();
      text->remove_prefix(1);
    }
    value->push_back(c);
  }
  if (quoted) {
    *text = absl::StripLeadingAsciiWhitespace(*text);
    absl::ConsumePrefix(text, ",");
  }
  return true;
}

bool IsTokenText(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
}

}  // namespace

absl::StatusOr<BearerChallenge> ParseBearerChallenge(absl::string_view header) {
  if (!absl::StartsWithIgnoreCase(header, kScheme)) {
    return absl::NotFoundError("no Bearer challenge");
  }
  header.remove_prefix(kScheme.size());
  BearerChallenge out;
  std::string key, value;
  while (NextParameter(&header, &key, &value)) {
    if (key == "realm") out.realm = value;
    if (key == "service") out.service = value;
  }
  if (out.realm.empty()) return absl::NotFoundError("no realm in the Bearer challenge");
  return out;
}

absl::StatusOr<std::string> TokenUrl(const BearerChallenge& challenge,
                                     const FetchEndpoint& endpoint, absl::string_view repository) {
  absl::StatusOr<UrlParts> realm = SplitUrl(challenge.realm);
  if (!realm.ok() || absl::StrContains(challenge.realm, "#")) {
    return absl::PermissionDeniedError("names a token service that is no URL");
  }
  BULKHEAD_ASSIGN_OR_RETURN(UrlParts registry, SplitUrl(BaseUrl(endpoint)));
  bool same_host = realm->host == registry.host && realm->scheme == registry.scheme;
  if (realm->scheme != "https" && !same_host) {
    return absl::PermissionDeniedError("names a token service on another host without https");
  }
  std::string url = absl::StrCat(
      challenge.realm, absl::StrContains(challenge.realm, "?") ? "&" : "?",
      "scope=", EscapeQuery(absl::StrCat("repository:", repository, ":pull")));
  if (!challenge.service.empty()) {
    absl::StrAppend(&url, "&service=", EscapeQuery(challenge.service));
  }
  return url;
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
