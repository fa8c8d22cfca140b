// SECURITY: dial starts in the node's network namespace with CAP_SYS_ADMIN, to enter a pod's; its
// filter leaves of that the one setns, TCP sockets and connect. Only the broker talks to it, with a
// pod's id and a port. It reads nothing from the connection, which it hands back. An attacker who
// owns it can connect anywhere from the node or from any pod.
#include "worker/dial/job.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::DialJob, schema::DialResult>(
      security::kDialProfile, 0,
      [](schema::DialJob::Reader job, std::vector<base::UniqueFd>,
         schema::DialResult::Builder result) {
        return dial::RunDialJob(job, worker::kFirstDirFd, result);
      });
}
