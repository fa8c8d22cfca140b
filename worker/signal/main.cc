// SECURITY: signal holds CAP_KILL and the cgroup file system, in the node's pid namespace. Only the
// broker talks to it, with one typed job: a pidfd, or the cgroup of one container. It reads process
// numbers of the kernel and nothing else. An attacker who owns it can end any process of the node.
#include "worker/signal/job.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::SignalJob, schema::SignalResult>(
      security::kSignalProfile, 1,
      [](schema::SignalJob::Reader job, std::vector<base::UniqueFd> fds,
         schema::SignalResult::Builder result) {
        return signal::RunSignalJob(job, std::move(fds), worker::kFirstDirFd, result);
      });
}
