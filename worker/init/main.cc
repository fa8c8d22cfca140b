// SECURITY: init is process 1 of a pod's shared PID namespace and no more: own uid, no capability,
// an empty root, a seccomp filter. It reads a byte from the broker and the exit of the pod's
// orphans. An attacker who owns it (from within the pod: it is the pod's process) can end the pod's
// containers.
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/status_codec.h"
#include "schema/worker/init.capnp.h"
#include "worker/common/worker.h"
#include "worker/init/init.h"

int main() {
  namespace schema = bulkhead::schema;
  bulkhead::base::UniqueFd listener;
  std::string pod_id;
  bulkhead::worker::Begin(bulkhead::security::kInitProfile);
  bulkhead::worker::ServeJob<schema::InitJob, schema::InitResult>(
      1, [&](schema::InitJob::Reader job, std::vector<bulkhead::base::UniqueFd> fds,
             schema::InitResult::Builder result) {
        pod_id = job.getPodId().cStr();
        if (fds.size() == 1) listener = std::move(fds[0]);
        bulkhead::ipc::WriteStatus(
            listener ? absl::OkStatus() : absl::InvalidArgumentError("init: no listening socket"),
            result.initStatus());
        return bulkhead::worker::JobResult{};
      });
  close(bulkhead::worker::kControlFd);  // it outlives the broker
  if (!listener) return 1;
  bulkhead::base::UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!self) return 1;
  bulkhead::init::Serve(pod_id, std::move(listener), std::move(self));
  return 0;
}
