#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/fetch/challenge.h"
#include "worker/fetch/request.h"

namespace bulkhead::worker {

inline constexpr size_t kMaxTokenDocumentBytes = 64 << 10;

// Where a token service answers, and how far it is to be trusted.
struct TokenService {
  std::string url;  // without a query of ours
  UrlParts host;
  bool trusted = false;  // the registry itself or one that root named: may see credentials
};

// The service that the challenge names. PERMISSION_DENIED: it is neither https nor the registry's
// own host, so anybody on the way could have named it.
absl::StatusOr<TokenService> FindTokenService(const Challenge& challenge,
                                              const FetchEndpoint& endpoint,
                                              const FetchRequest& request);

// "service=s&scope=repository:r:pull": what is asked of the service, for a query or a form.
std::string TokenQuery(const Challenge& challenge, const FetchEndpoint& endpoint,
                       absl::string_view repository);
// The form that exchanges an identity token (distribution's OAuth2 token flow).
std::string RefreshForm(absl::string_view query, absl::string_view identity_token);

// The token of a token service's answer. INVALID_ARGUMENT: none, or one that cannot stand in a
// header.
absl::StatusOr<std::string> ParseToken(absl::string_view document);

// Whether text can stand in a header as a token.
bool IsTokenText(absl::string_view text);

}  // namespace bulkhead::worker
