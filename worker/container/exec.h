#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "schema/worker/launch.capnp.h"
#include "worker/container/place.h"
#include "worker/container/runtime.h"

namespace bulkhead::container {

struct ExecOutput {
  std::string out;
  std::string err;
  int exit_code = 0;
};

// Runs one command in the container and collects what it prints: at most the job's bound of each
// stream, the rest is read and dropped. DEADLINE_EXCEEDED: the command, and what it started, was
// killed. A process that outlives the command and holds a stream is not waited for.
absl::StatusOr<ExecOutput> ExecInContainer(schema::LaunchJob::Reader job, const Place& place,
                                           Runtime& runtime);

}  // namespace bulkhead::container
