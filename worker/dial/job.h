#pragma once

#include "schema/worker/dial.capnp.h"
#include "worker/common/worker.h"

namespace bulkhead::dial {

// Enters the pod's network namespace, for good, and connects there: to 127.0.0.1, then to ::1. run:
// fd of <run_dir>; it stays the caller's.
worker::JobResult RunDialJob(schema::DialJob::Reader job, int run,
                             schema::DialResult::Builder result);

}  // namespace bulkhead::dial
