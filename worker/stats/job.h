#pragma once

#include <vector>

#include "schema/worker/stats.capnp.h"
#include "worker/common/worker.h"

namespace bulkhead::stats {

// cgroups: fd of base::kCgroupMount, the caller's. A cgroup or a network that cannot be read costs
// itself alone.
worker::JobResult RunStatsJob(schema::StatsJob::Reader job, std::vector<base::UniqueFd> fds,
                              int cgroups, schema::StatsResult::Builder result);

}  // namespace bulkhead::stats
