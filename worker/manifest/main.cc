// SECURITY: holds one document (read-only); no file system, no network, no other process. The
// broker gives it its job; the bytes come from a registry or an archive. Who owns this process
// through the JSON reader's flaw can describe this one image wrongly: other layers, another
// command. It reaches nothing else, and what it names is fetched by digest.
#include "ipc/status_codec.h"
#include "schema/worker/manifest.capnp.h"
#include "security/profile.h"
#include "worker/common/worker.h"
#include "worker/manifest/manifest_job.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::ManifestJob, schema::ManifestResult>(
      security::kManifestProfile, 1, [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        absl::Status status = absl::InvalidArgumentError("manifest job: needs one fd");
        if (fds.size() == 1) status = worker::RunManifestJob(job, fds[0].get(), result);
        ipc::WriteStatus(status, result.initStatus());
        return worker::JobResult{};
      });
}
