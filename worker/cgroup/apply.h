#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/common/cgroup_limits.h"

namespace bulkhead::cgroup {

// Writes all of them, or, where one is refused, puts back what was there. A value may be possible
// only after another one (memory and swap, quota and period), so what is refused is tried once more
// after the rest. Where memory in use is more than its new limit, it asks the kernel to give some
// back first, and refuses rather than have the container killed.
//
// INVALID_ARGUMENT, FAILED_PRECONDITION: names the field. root: fd of the cgroup file system.
absl::Status ApplyLimits(int root, const std::string& path, bool v2,
                         const std::vector<Limit>& limits);

}  // namespace bulkhead::cgroup
