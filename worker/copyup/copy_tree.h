#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace bulkhead::copyup {

// What one job may still copy: an image of a few bytes must not fill the node's disk.
struct Budget {
  uint64_t bytes = 8ull << 30;
  uint64_t entries = 1'000'000;
};

// Copies the directory at path in rootfs (relative; links in it stay in rootfs) into target, an
// empty directory: directories, regular files with their holes, and links as links, with owner,
// mode, times, user.* attributes and file capabilities. Devices, sockets and pipes are left out;
// hard links become files of their own. Mounts below are not entered. Nothing there: success.
// FAILED_PRECONDITION: no directory, or one that changes meanwhile; RESOURCE_EXHAUSTED: budget, or
// deeper than 200.
absl::Status CopyDirectory(int rootfs, const std::string& path, int target, Budget* budget);

}  // namespace bulkhead::copyup
