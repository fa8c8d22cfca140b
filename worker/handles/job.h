#pragma once

#include <cstdint>
#include <vector>

#include "schema/worker/handles.capnp.h"
#include "worker/common/worker.h"

namespace bulkhead::handles {

// Most descriptors that one job counts, of all processes together.
inline constexpr uint64_t kMaxDescriptors = 1000000;

// proc: fd of the node's /proc, the caller's. lists: a cgroup.procs each. A cgroup that cannot be
// counted costs itself alone; a process that ends meanwhile costs nothing. Those that come after
// the most descriptors, or after the job's time, are not counted.
worker::JobResult RunHandlesJob(schema::HandlesJob::Reader job, std::vector<base::UniqueFd> lists,
                                int proc, schema::HandlesResult::Builder result,
                                uint64_t most = kMaxDescriptors);

}  // namespace bulkhead::handles
