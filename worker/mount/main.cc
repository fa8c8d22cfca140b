// SECURITY: mount holds CAP_SYS_ADMIN and the file capabilities that overlayfs keeps of its
// mounter, in the node's mount namespace. Only the broker talks to it, with one typed job: layer
// digests, a container id, volume paths that the policy allowed. It reads no byte of any file; the
// kernel reads the images of layers that pack wrote. An attacker who owns it can mount anything on
// the node.
#include "worker/mount/job.h"

int main() {
  using namespace bulkhead;
  const mount::Places places = {.layers = worker::kFirstDirFd,
                                .containers = worker::kFirstDirFd + 1,
                                .layer_ids = worker::kFirstDirFd + 2,
                                .run = worker::kFirstDirFd + 3};
  return worker::RunWorker<schema::MountJob, schema::MountResult>(
      security::kMountProfile, ipc::kMaxFds,
      [&places](schema::MountJob::Reader job, std::vector<base::UniqueFd> shared,
                schema::MountResult::Builder result) {
        return mount::RunMountJob(job, shared, places, result);
      });
}
