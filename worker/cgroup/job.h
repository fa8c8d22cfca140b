#pragma once

#include "schema/worker/cgroup.capnp.h"
#include "worker/common/worker.h"

namespace bulkhead::cgroup {

// Makes, limits or removes a cgroup (schema/worker/cgroup.capnp). root: fd of the cgroup file
// system; it stays the caller's.
worker::JobResult RunCgroupJob(schema::CgroupJob::Reader job, int root,
                               schema::CgroupResult::Builder result);

}  // namespace bulkhead::cgroup
