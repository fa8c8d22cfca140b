#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace bulkhead::worker {

struct HashedContent {
  std::string digest;  // 32 bytes
  uint64_t bytes = 0;  // that were read
};

// SHA-256 of a regular file from its beginning; the offset of fd is left alone.
absl::StatusOr<HashedContent> HashFile(int fd);

// SHA-256 over a directory and all below it: of every entry its path, type, mode, owner, device
// number, modification time, extended attributes, and a file's contents or a link's target, in an
// order that depends on the names alone; of further links to a file the first one's path. So no two
// trees that differ in any of these have one digest. Follows no link and crosses no mount;
// RESOURCE_EXHAUSTED: deeper than 1000 directories.
absl::StatusOr<HashedContent> HashTree(int directory);

}  // namespace bulkhead::worker
