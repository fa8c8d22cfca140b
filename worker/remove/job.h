#pragma once

#include "schema/worker/remove.capnp.h"
#include "worker/common/worker.h"

namespace bulkhead::remove {

// Directory fds below which things are deleted; they stay the caller's.
struct Places {
  int layers = -1;
  int containers = -1;
};

// Deletes one tree (schema/worker/remove.capnp).
worker::JobResult RunRemoveJob(schema::RemoveJob::Reader job, const Places& places,
                               schema::RemoveResult::Builder result);

}  // namespace bulkhead::remove
