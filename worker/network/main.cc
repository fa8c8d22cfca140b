// SECURITY: network is root in the node's namespaces and the ancestor of third-party plugins, so it
// keeps no filter that they would inherit. The broker gives it one job, whose every word is checked
// before it becomes part of a plugin's environment; the cni worker names plugins and gives their
// input, which is passed on unread, as is their output. An attacker who owns it owns the node; one
// who owns the cni worker can run the node's installed plugins, for this pod, with a configuration
// of their choice.
#include <signal.h>

#include "security/profile.h"
#include "worker/common/worker.h"
#include "worker/network/job.h"

int main() {
  using namespace bulkhead;
  signal(SIGPIPE, SIG_IGN);
  return worker::RunWorker<schema::NetworkJob, schema::NetworkResult>(
      security::kNetworkProfile, 1, [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        return worker::JobResult{
            network::RunNetworkJob(job, std::move(fds), worker::kFirstDirFd, result)};
      });
}
