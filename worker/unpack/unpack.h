#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

namespace bulkhead::worker {

struct UnpackLimits {
  // Of file contents (a sparse file's whole length), link targets and xattrs.
  uint64_t max_bytes = 0;
  uint64_t max_entries = 0;  // in the tar, and inodes made
};

struct Unpacked {
  uint64_t bytes = 0;
  uint64_t entries = 0;          // inodes made
  // Device nodes: a container gets its own /dev, and no image may bring others.
  uint64_t skipped_devices = 0;
  uint64_t dropped_xattrs = 0;   // outside the allow-list
};

// Makes the layer that the tar on stream (a pipe, read to its end) describes in directory, which is
// empty and becomes the caller's (owner 0, 0755). Both fds stay the caller's. Runs as root of a
// user namespace. On failure the directory is left as it is. Statuses name the entry.
// INVALID_ARGUMENT: an entry that no honest image has; DATA_LOSS: damaged or cut short;
// RESOURCE_EXHAUSTED: over a limit, or the disk is full; UNIMPLEMENTED: an opaque root.
absl::StatusOr<Unpacked> Unpack(int stream, int directory, const UnpackLimits& limits);

}  // namespace bulkhead::worker
