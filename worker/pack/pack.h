#pragma once

#include "absl/status/statusor.h"
#include "worker/layer/layer_reader.h"

namespace bulkhead::worker {

// Writes the layer that the tar on stream (a pipe, read to its end) describes to image, an empty
// regular file, as an EROFS image. Both fds stay the caller's. Needs no right to any file system.
// Nothing is synced. Statuses: ReadLayer's; RESOURCE_EXHAUSTED also where the disk is full.
absl::StatusOr<LayerCounts> Pack(int stream, int image, const LayerLimits& limits);

}  // namespace bulkhead::worker
