#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "security/layer_ids.h"

namespace bulkhead::security {

// Of a pod that names no range of its own, as kubelet gives them: ids of 16 bits.
inline constexpr uint32_t kIdsOfOnePod = 65536;

// Whether ids host_id to host_id+length-1 of the node may be a pod's. Never the node's root, whose
// files and processes the pod would own, nor where layers lie on disk. length 0: no user namespace
// at all. INVALID_ARGUMENT.
inline absl::Status CheckPodIds(uint32_t host_id, uint32_t length) {
  if (length == 0) return absl::OkStatus();
  if (host_id == 0) return absl::InvalidArgumentError("user namespace: maps the node's root");
  if (uint64_t{host_id} + length > kLayerIdShift) {
    return absl::InvalidArgumentError("user namespace: ids of the node from 2^31 on are taken");
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::security
