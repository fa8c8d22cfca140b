// SECURITY: holds the files that it parses, read-only; no file system, no network, no other
// process. They are the administrator's or a device plugin's. Who owns this process through a flaw
// of a parser can weaken one container's seccomp filter, or ask for devices and mounts for one
// container: the broker checks what comes out again.
#include "security/profile.h"
#include "worker/common/worker.h"
#include "worker/nodeconfig/job.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::NodeconfigJob, schema::NodeconfigResult>(
      security::kNodeconfigProfile, ipc::kMaxFds,
      [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        ipc::WriteStatus(worker::RunNodeconfigJob(job, fds, result), result.initStatus());
        return worker::JobResult{};
      });
}
