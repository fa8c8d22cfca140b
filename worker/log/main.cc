// SECURITY: log sees the node's files with root's rights, to open one: a container's log, after its
// rotation. Only the broker talks to it, with one path, which it neither follows through links nor
// reads. An attacker who owns it can open, and so change, any file of the node.
#include <sys/stat.h>

#include "base/status.h"
#include "ipc/status_codec.h"
#include "schema/worker/log.capnp.h"
#include "worker/common/log_file.h"
#include "worker/common/worker.h"

namespace bulkhead::log_worker {
namespace {

absl::StatusOr<base::UniqueFd> Open(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("log path: empty");
  umask(022);  // as where the first log is made: who collects logs may be of its group
  return worker::OpenLog(path);
}

worker::JobResult Run(schema::LogJob::Reader job, schema::LogResult::Builder result) {
  absl::StatusOr<base::UniqueFd> log = Open(job.getPath());
  ipc::WriteStatus(log.status(), result.initStatus());
  worker::JobResult out;
  if (log.ok()) out.fds.push_back(*std::move(log));
  return out;
}

}  // namespace
}  // namespace bulkhead::log_worker

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::LogJob, schema::LogResult>(
      security::kLogProfile, 0, [](auto job, std::vector<base::UniqueFd>, auto result) {
        return log_worker::Run(job, result);
      });
}
