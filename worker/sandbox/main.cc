// SECURITY: sandbox holds CAP_SYS_ADMIN and CAP_NET_ADMIN, the node's mount namespace and the run
// directory. Only the broker talks to it, with one typed job: a pod id, a host name, DNS words and
// sysctls, each checked again here, and against the node's policy. Of files it reads that policy,
// which is root's, and the node's resolv.conf and host name, which it copies. An attacker who owns
// it can mount, and see and reshape the network, of the node.
#include "ipc/status_codec.h"
#include "security/profile.h"
#include "worker/common/worker.h"
#include "worker/sandbox/job.h"
#include "worker/sandbox/watch.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::SandboxJob, schema::SandboxResult>(
      security::kSandboxProfile, 0, [](auto job, std::vector<base::UniqueFd>, auto result) {
        worker::JobResult out;
        absl::Status status;
        if (job.isWatchNetworks()) {
          auto sockets = sandbox::WatchNetworks(job.getWatchNetworks(), worker::kFirstDirFd);
          status = sockets.status();
          if (sockets.ok()) out.fds = *std::move(sockets);
        } else {
          status = sandbox::RunSandboxJob(job, worker::kFirstDirFd);
          if (status.ok()) status = sandbox::TakeUserNamespace(job, worker::kFirstDirFd, &out.fds);
        }
        ipc::WriteStatus(status, result.initStatus());
        return out;
      });
}
