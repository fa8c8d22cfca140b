// SECURITY: stats has no right at all but to read the cgroup file system: own uid, no capability,
// an empty root, new namespaces. Only the broker talks to it, with paths of cgroups and with
// sockets by which it can ask for, and change nothing of, the interfaces of pods' network
// namespaces. It parses what the kernel writes there, and opens lists of processes for handles,
// whose numbers it cannot see itself. An attacker who owns it can tell the broker wrong numbers.
#include "worker/stats/job.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::StatsJob, schema::StatsResult>(
      security::kStatsProfile, ipc::kMaxFds,
      [](schema::StatsJob::Reader job, std::vector<base::UniqueFd> fds,
         schema::StatsResult::Builder result) {
        return stats::RunStatsJob(job, std::move(fds), worker::kFirstDirFd, result);
      });
}
