#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "worker/container/create.h"

namespace bulkhead::container {

// The monitor's program, beside this one's: opened before anything is made, so that its absence
// costs nothing.
absl::StatusOr<base::UniqueFd> OpenMonitorProgram();

// Executes the monitor in place of this process, with the container's ends at the numbers of
// security/monitor_fds.h. Returns only on failure.
absl::Status BecomeMonitor(const base::UniqueFd& program, const Created& container,
                           int cgroup_version);

}  // namespace bulkhead::container
