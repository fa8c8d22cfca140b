// SECURITY: holds the read end of one pipe and one file to write, and nothing else: no file system,
// no capability, no ids of its own. The broker gives it its job; the stream's bytes come from
// whoever built the image, by way of inflate. Who owns this process through libarchive's flaw
// writes what it likes into that one file, which the kernel will read as a file system once both
// digests are right.
#include "ipc/status_codec.h"
#include "schema/worker/pack.capnp.h"
#include "security/profile.h"
#include "worker/common/own_limits.h"
#include "worker/common/worker.h"
#include "worker/layer/layer_job.h"
#include "worker/pack/pack.h"

namespace bulkhead::worker {
namespace {

constexpr uint64_t kMaxMemoryBytes = 384 << 20;  // about 100 bytes an entry

absl::Status Run(schema::PackJob::Reader job, const std::vector<base::UniqueFd>& fds,
                 schema::PackResult::Builder result) {
  if (fds.size() != 2) return absl::InvalidArgumentError("pack job: needs two fds");
  for (const absl::Status& status :
       {LimitCpu(job.getBudget().getCpuSeconds()), LimitMemory(kMaxMemoryBytes)}) {
    if (!status.ok()) return status;
  }
  absl::StatusOr<LayerCounts> packed =
      Pack(fds[0].get(), fds[1].get(), LimitsFrom(job.getBudget()));
  if (!packed.ok()) return packed.status();
  LogLeftOut(*packed);
  FillCounts(*packed, result.initLayer());
  return absl::OkStatus();
}

}  // namespace
}  // namespace bulkhead::worker

int main() {
  using namespace bulkhead;
  worker::LoadCharacterSets();
  return worker::RunWorker<schema::PackJob, schema::PackResult>(
      security::kPackProfile, 2, [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        ipc::WriteStatus(worker::Run(job, fds, result), result.initStatus());
        return worker::JobResult{};
      });
}
