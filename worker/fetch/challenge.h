#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace bulkhead::worker {

// One way in which a registry wants to be convinced (RFC 9110, 11.6.1).
struct Challenge {
  std::string scheme;  // lower case: "basic", "bearer", or one that nobody here can answer
  std::string realm;   // of Bearer: where the token service is
  std::string service;
};

// Those of one WWW-Authenticate header; an odd one ends the list. Bytes are taken as they are: what
// stands in a URL is escaped or checked where it is used.
std::vector<Challenge> ParseChallenges(absl::string_view header);

}  // namespace bulkhead::worker
