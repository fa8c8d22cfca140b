#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/cgroup.h"

namespace bulkhead::lxc {

// liblxc begins at its own cgroup: at the root of each hierarchy, so that paths mean there what
// they mean to the node. The worker takes it back at once by the other function.
absl::Status EnterRootCgroups(base::CgroupMode mode);
// On v1, a cpuset without cpus or memory nodes takes no process, and liblxc looks after those that
// it makes alone. Gives the cgroups above this one what those above them have, and has new ones
// inherit.
absl::Status PrepareCpusets(const std::string& cgroup, base::CgroupMode mode);
// Moves all processes of a cgroup into the one that this process has in each hierarchy.
absl::Status MoveToOwnCgroups(const std::string& cgroup, base::CgroupMode mode);

}  // namespace bulkhead::lxc
