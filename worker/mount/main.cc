// SECURITY: mount holds CAP_SYS_ADMIN and the file capabilities that overlayfs keeps of its
// mounter, in the node's mount namespace. Only the broker talks to it, with one typed job: layer
// digests, a container id, volume paths, which it holds against the node's policy. That comes from
// root, in the one file that it reads; the kernel reads the images of layers that pack wrote. An
// attacker who owns it can mount anything on the node.
#include "base/status.h"
#include "security/policy/pod_policy_codec.h"
#include "worker/mount/job.h"

int main() {
  using namespace bulkhead;
  mount::Places places = {.layers = worker::kFirstDirFd,
                          .containers = worker::kFirstDirFd + 1,
                          .layer_ids = worker::kFirstDirFd + 2,
                          .run = worker::kFirstDirFd + 3};
  return worker::RunWorker<schema::MountJob, schema::MountResult>(
      security::kMountProfile, ipc::kMaxFds,
      [&places](schema::MountJob::Reader job, std::vector<base::UniqueFd> shared,
                schema::MountResult::Builder result) {
        // Now, and not at the start: a spare worker may have waited for long.
        absl::StatusOr<security::PodPolicies> policies = security::ReadPodPolicies(places.run);
        if (!policies.ok()) {
          ipc::WriteStatus(policies.status(), result.initStatus());
          return worker::JobResult();
        }
        places.policies = *std::move(policies);
        return mount::RunMountJob(job, shared, places, result);
      });
}
