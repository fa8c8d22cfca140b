// SECURITY: holds the directory of the layers, and perhaps one layer's image, for reading, but can
// call nothing that reads a file or opens one. The broker gives it its job; no byte comes from
// anywhere else. Who owns it can make the disk busy.
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "ipc/status_codec.h"
#include "schema/worker/sync.capnp.h"
#include "security/profile.h"
#include "worker/common/worker.h"

namespace bulkhead::worker {
namespace {

absl::Status Run(const std::vector<base::UniqueFd>& fds) {
  if (fds.size() != 2) return absl::InvalidArgumentError("sync job: needs two fds");
  struct stat st;
  if (fstat(fds[1].get(), &st) != 0) return base::ErrnoStatus("sync layer: stat");
  const int synced = S_ISDIR(st.st_mode) ? syncfs(fds[1].get()) : fsync(fds[1].get());
  if (synced != 0) return base::ErrnoStatus("sync layer");
  // Its name as well.
  if (fsync(fds[0].get()) != 0) return base::ErrnoStatus("sync the layers' directory");
  return absl::OkStatus();
}

}  // namespace
}  // namespace bulkhead::worker

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::SyncJob, schema::SyncResult>(
      security::kSyncProfile, 2, [](auto, std::vector<base::UniqueFd> fds, auto result) {
        ipc::WriteStatus(worker::Run(fds), result.initStatus());
        return worker::JobResult{};
      });
}
