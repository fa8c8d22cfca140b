#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/fetch/registry_url.h"

namespace bulkhead::worker {

inline constexpr size_t kMaxTokenDocumentBytes = 64 << 10;

// What a registry asks for in WWW-Authenticate: Bearer.
struct BearerChallenge {
  std::string realm;
  std::string service;
};

// NOT_FOUND: another scheme than Bearer, or no realm.
absl::StatusOr<BearerChallenge> ParseBearerChallenge(absl::string_view header);

// Where to get an anonymous token for pulling the repository. PERMISSION_DENIED: the realm is
// neither https nor the registry's own host, so anybody on the way could have named it.
absl::StatusOr<std::string> TokenUrl(const BearerChallenge& challenge,
                                     const FetchEndpoint& endpoint, absl::string_view repository);

// The token of a token service's answer. INVALID_ARGUMENT: none, or one that cannot stand in a
// header.
absl::StatusOr<std::string> ParseToken(absl::string_view document);

}  // namespace bulkhead::worker
