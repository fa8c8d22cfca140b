#pragma once

#include "schema/worker/mount.capnp.h"
#include "security/policy/pod_policy.h"
#include "worker/common/worker.h"
#include "worker/mount/overlay.h"

namespace bulkhead::mount {

// Descriptors that the job works with; they stay the caller's.
struct Places {
  int layers = -1;
  int containers = -1;
  int layer_ids = -1;  // user namespace for the layers' owners
  int run = -1;        // <run_dir>: where pods' user namespaces are pinned
  // Which of the node's paths a pod may see. From root, not from who gives the job.
  security::PodPolicies policies = {};
};

// Builds the rootfs and the volumes of one container (schema/worker/mount.capnp). shared: the
// mounts of layers that came with the job. On failure nothing is left: the directories that it made
// are removed.
worker::JobResult RunMountJob(schema::MountJob::Reader job,
                              const std::vector<base::UniqueFd>& shared, const Places& places,
                              schema::MountResult::Builder result,
                              OverlayMethod method = OverlayMethod::kBest);

}  // namespace bulkhead::mount
