#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/cri/call.h"

// An image may be named by id, by a beginning of its id, by tag or by digest.
namespace bulkhead::frontend {

// The names under which the store may know what text names, in the order to try: ids as they are,
// references normalised. "cafe" may be either, and is a reference first. Of a tag and a digest
// together the digest counts, as a tag can be moved. INVALID_ARGUMENT names field.
absl::StatusOr<std::vector<std::string>> ImageNames(absl::string_view field,
                                                    const std::string& text);

struct FoundImage {
  std::string name;  // the one of ImageNames that the store knows
  Answer<Broker::ImageStatusResults> answer;
};

// nullopt: there is no such image.
absl::StatusOr<std::optional<FoundImage>> FindImage(const Call& call, absl::string_view field,
                                                    const std::string& text, bool verbose = false);

}  // namespace bulkhead::frontend
