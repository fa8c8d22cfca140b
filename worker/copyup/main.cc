// SECURITY: may read one container's root file system and write that container's own volumes, as
// any owner, and nothing else: an empty root, a user namespace of its own, Landlock. The files come
// from whoever built the image. Who owns this process can put what it likes into those volumes.
#include "base/clean_path.h"
#include "base/status.h"
#include "schema/worker/copyup.capnp.h"
#include "security/enforce/enter.h"
#include "security/profile.h"
#include "worker/common/worker.h"
#include "worker/copyup/copy_tree.h"

namespace bulkhead::copyup {
namespace {

absl::Status Run(schema::CopyupJob::Reader job, const std::vector<base::UniqueFd>& fds) {
  if (fds.size() != job.getPaths().size() + 1) {
    return absl::InvalidArgumentError("copyup job: not a rootfs and one directory a path");
  }
  std::vector<int> volumes;
  for (size_t i = 1; i < fds.size(); ++i) volumes.push_back(fds[i].get());
  BULKHEAD_RETURN_IF_ERROR(security::ConfineToDirectories({fds[0].get()}, volumes));
  Budget budget;
  for (unsigned i = 0; i < volumes.size(); ++i) {
    const std::string path = job.getPaths()[i].cStr();
    if (!base::IsCleanAbsolutePath(path) || path == "/") {
      return absl::InvalidArgumentError("copyup job: not a clean absolute path");
    }
    BULKHEAD_RETURN_IF_ERROR(
        base::Annotate(CopyDirectory(fds[0].get(), path.substr(1), volumes[i], &budget), path));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace bulkhead::copyup

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::CopyupJob, schema::CopyupResult>(
      security::kCopyupProfile, ipc::kMaxFds,
      [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        ipc::WriteStatus(copyup::Run(job, fds), result.initStatus());
        return worker::JobResult{};
      });
}
