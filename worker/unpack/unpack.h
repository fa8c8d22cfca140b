#pragma once

#include "absl/status/statusor.h"
#include "worker/layer/layer_reader.h"

namespace bulkhead::worker {

// Makes the layer that the tar on stream (a pipe, read to its end) describes in directory, which is
// empty and becomes the caller's (owner 0, 0755). Both fds stay the caller's. Runs as root of a
// user namespace. On failure the directory is left as it is; nothing is synced. Statuses:
// ReadLayer's; RESOURCE_EXHAUSTED also where the disk is full.
absl::StatusOr<LayerCounts> Unpack(int stream, int directory, const LayerLimits& limits);

}  // namespace bulkhead::worker
