#pragma once

#include "absl/status/statusor.h"
#include "schema/worker/launch.capnp.h"
#include "worker/container/config.h"
#include "worker/container/place.h"

namespace bulkhead::container {

// What the node and this process can give, for the process part alone.
Facts ProcessFacts(const Place& place);
// All of it, with the container's devices looked up on the node. volumes: how many came with the
// job.
absl::StatusOr<Facts> GatherFacts(schema::LaunchJob::Reader job, const Place& place,
                                  size_t volumes);

}  // namespace bulkhead::container
