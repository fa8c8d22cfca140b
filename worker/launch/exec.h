#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "schema/worker/launch.capnp.h"
#include "worker/launch/place.h"

namespace bulkhead::launch {

struct ExecOutput {
  std::string out;
  std::string err;
  int exit_code = 0;
};

// Runs one command in the container and collects what it prints: at most the job's bound of each
// stream, the rest is read and dropped. DEADLINE_EXCEEDED: the command, and what it started, was
// killed. A process that outlives the command and holds a stream is not waited for.
absl::StatusOr<ExecOutput> ExecInContainer(schema::LaunchJob::Reader job, const Place& place);

// The process as the runtime reads it, in a file without a name. mark: see process_tree.h; 0: none.
absl::StatusOr<base::UniqueFd> ProcessFile(schema::Process::Reader process, const Place& place,
                                           uint64_t mark);

}  // namespace bulkhead::launch
