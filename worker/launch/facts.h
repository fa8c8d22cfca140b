#pragma once

#include "absl/status/statusor.h"
#include "schema/worker/launch.capnp.h"
#include "worker/launch/config.h"
#include "worker/launch/place.h"

namespace bulkhead::launch {

// What the node and this process can give, for the process part alone.
Facts ProcessFacts(const Place& place);
// All of it, with the container's devices looked up on the node. volumes: how many came with the
// job.
absl::StatusOr<Facts> GatherFacts(schema::LaunchJob::Reader job, const Place& place,
                                  size_t volumes);

}  // namespace bulkhead::launch
