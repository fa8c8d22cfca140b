#pragma once

#include <sys/types.h>

#include "absl/status/status.h"
#include "schema/worker/launch.capnp.h"

// The node's policy, held against a job once more where it would be carried out. It comes from
// root, not from the broker, which only says of which Kubernetes namespace the pod is.
namespace bulkhead::container {

// Whether the job's runtime is one that root has configured. run: fd of <run_dir>.
absl::Status CheckRuntime(schema::LaunchJob::Reader job, int run);

// run: fd of <run_dir>. target_pid: whose PID namespace the container joins; 0: nobody's.
// PERMISSION_DENIED names the field and the key of the policy; any other error: there is no policy,
// so nothing is granted.
absl::Status CheckCreate(schema::LaunchJob::Reader job, int run, pid_t target_pid);
// For a command in a container that there is already.
absl::Status CheckExec(schema::LaunchJob::Reader job, int run, schema::Process::Reader process);

}  // namespace bulkhead::container
