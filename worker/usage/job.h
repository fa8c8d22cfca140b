#pragma once

#include <vector>

#include "schema/worker/usage.capnp.h"
#include "worker/common/worker.h"

namespace bulkhead::usage {

// containers: fd of <root_dir>/containers, the caller's. A container that cannot be counted costs
// itself alone: its layer is marked as incomplete.
worker::JobResult RunUsageJob(schema::UsageJob::Reader job, int containers,
                              schema::UsageResult::Builder result);

}  // namespace bulkhead::usage
