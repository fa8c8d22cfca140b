#pragma once

#include <vector>

#include "absl/status/status.h"
#include "base/unique_fd.h"
#include "schema/worker/mount.capnp.h"
#include "security/policy/pod_policy.h"
#include "worker/mount/pod_ids.h"

namespace bulkhead::mount {

// Clones what the job's volumes name, as far as the policy grants it: PERMISSION_DENIED names path
// and key. NOT_FOUND: the path is missing. Adds one mount a volume.
absl::Status CloneVolumes(schema::MountJob::Reader job, const security::PodPolicies& policies,
                          const PodIds& ids, schema::MountResult::Builder result,
                          std::vector<base::UniqueFd>* volumes);

// The times of access are one choice of several, which the kernel wants cleared first.
absl::Status SetOptions(int mount, uint64_t options);

}  // namespace bulkhead::mount
