#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "worker/layer/layer_sink.h"

namespace bulkhead::worker {

struct LayerLimits {
  // Of file contents (a sparse file's whole length), link targets and xattrs.
  uint64_t max_bytes = 0;
  uint64_t max_entries = 0;  // in the tar, and inodes made
  uint64_t max_tar_bytes = ~0ull;
  uint32_t max_depth = kMaxNameDepth;   // directories above an entry; at most kMaxNameDepth
  uint64_t max_xattr_bytes = 64 << 10;  // names and values of one entry
};

struct LayerCounts {
  uint64_t bytes = 0;
  uint64_t headers = 0;  // entries in the tar
  uint64_t entries = 0;  // inodes and links made
  // Device nodes: a container gets its own /dev, and no image may bring others.
  uint64_t skipped_devices = 0;
  uint64_t dropped_xattrs = 0;  // outside the allow-list
  std::string diff_id = {};     // SHA-256 of the stream, 32 bytes
};

// Reads the tar on stream (a pipe; stays the caller's) to its end and gives the sink what is in it.
// The stream is hashed where it is read, so its digest is that of the bytes that made the layer,
// whoever wrote them. Statuses name the entry. INVALID_ARGUMENT: an entry that no honest image has;
// DATA_LOSS: damaged or cut short; RESOURCE_EXHAUSTED: over a limit; UNIMPLEMENTED: an opaque root.
// The sink's errors pass through.
absl::StatusOr<LayerCounts> ReadLayer(int stream, const LayerLimits& limits, LayerSink& sink);

}  // namespace bulkhead::worker
