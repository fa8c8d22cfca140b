#pragma once

#include "schema/worker/signal.capnp.h"
#include "worker/common/worker.h"

namespace bulkhead::signal {

// Sends the signal (schema/worker/signal.capnp). cgroups: fd of the cgroup file system; it stays
// the caller's.
worker::JobResult RunSignalJob(schema::SignalJob::Reader job, std::vector<base::UniqueFd> fds,
                               int cgroups, schema::SignalResult::Builder result);

}  // namespace bulkhead::signal
