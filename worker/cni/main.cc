// SECURITY: cni holds a socket to the network worker and read-only configuration files; no file
// system, no network, no other process. The broker gives it its job; plugins' output, which is
// third-party text, comes through the network worker. An attacker who owns it chooses the addresses
// that the pod is said to have, and can have the node's installed plugins run for this pod with any
// configuration.
#include <signal.h>

#include "security/profile.h"
#include "worker/cni/job.h"
#include "worker/common/worker.h"

int main() {
  using namespace bulkhead;
  constexpr int kMaxFds = 33;  // the socket and 32 configuration files
  signal(SIGPIPE, SIG_IGN);
  return worker::RunWorker<schema::CniJob, schema::CniResult>(
      security::kCniProfile, kMaxFds, [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        cni::RunCniJob(job, std::move(fds), result);
        return worker::JobResult{};
      });
}
