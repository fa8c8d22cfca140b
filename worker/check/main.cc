// SECURITY: check may read any layer and the one file that comes with its job, and write nothing:
// an empty root, a user namespace of its own, Landlock for reading alone. Only the broker talks to
// it; the file names that it walks come from images. Who owns it can read layers, and call a
// damaged one sound.
#include "ipc/status_codec.h"
#include "schema/worker/check.capnp.h"
#include "security/enforce/enter.h"
#include "security/profile.h"
#include "worker/check/check_job.h"
#include "worker/common/worker.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::CheckJob, schema::CheckResult>(
      security::kCheckProfile, 1, [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        absl::Status status =
            security::ConfineToDirectories({worker::kFirstDirFd}, security::Access::kRead);
        if (status.ok()) {
          status = worker::RunCheckJob(job, fds, worker::kFirstDirFd, result);
        }
        ipc::WriteStatus(status, result.initStatus());
        return worker::JobResult{};
      });
}
