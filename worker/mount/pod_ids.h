#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "schema/worker/mount.capnp.h"

namespace bulkhead::mount {

// A pod's own user namespace. All empty: the pod has none.
struct PodIds {
  base::UniqueFd user;
  base::UniqueFd layers;  // shows layers with the owners that the pod's namespace has
  uint32_t root = 0;      // the node's id of the pod's root
};

// Those of the job's pod, from their pins below run, fd of <run_dir>. INVALID_ARGUMENT: not an id,
// or not ids of a pod. NOT_FOUND, FAILED_PRECONDITION: not pinned.
absl::StatusOr<PodIds> OpenPodIds(schema::MountJob::Reader job, int run);

}  // namespace bulkhead::mount
