#pragma once

#include <vector>

#include "absl/status/status.h"
#include "base/unique_fd.h"
#include "schema/worker/sandbox.capnp.h"

namespace bulkhead::sandbox {

// Makes a pod's namespaces and files, all or none, or removes them. run: fd of <run_dir>. The
// caller must run in the node's namespaces; after a make it is in the pod's and must end.
// INVALID_ARGUMENT: the job, by field.
absl::Status RunSandboxJob(schema::SandboxJob::Reader job, int run);

// After that: the descriptor that goes with the answer, where the job asks for one.
absl::Status TakeUserNamespace(schema::SandboxJob::Reader job, int run,
                               std::vector<base::UniqueFd>* fds);

}  // namespace bulkhead::sandbox
