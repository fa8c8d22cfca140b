// SECURITY: holds the read end of one pipe and one layer directory, and is root of a user namespace
// whose ids mean nothing on the node. The broker gives it its job; the stream's bytes come from
// whoever built the image, by way of inflate. Who owns this process through libarchive's flaw
// writes what it likes into that one directory, as ids that nobody on the node has: no more than a
// wicked image may do anyway.
#include "ipc/status_codec.h"
#include "schema/worker/unpack.capnp.h"
#include "security/enforce/enter.h"
#include "security/profile.h"
#include "worker/common/own_limits.h"
#include "worker/common/worker.h"
#include "worker/layer/layer_job.h"
#include "worker/unpack/unpack.h"

namespace bulkhead::worker {
namespace {

constexpr uint64_t kMaxMemoryBytes = 160 << 20;

absl::Status Run(schema::UnpackJob::Reader job, const std::vector<base::UniqueFd>& fds,
                 schema::UnpackResult::Builder result) {
  if (fds.size() != 2) return absl::InvalidArgumentError("unpack job: needs two fds");
  const int directory = fds[1].get();
  for (const absl::Status& status :
       {security::ConfineToDirectories({directory}, security::Access::kReadWrite),
        LimitCpu(job.getBudget().getCpuSeconds()), LimitMemory(kMaxMemoryBytes)}) {
    if (!status.ok()) return status;
  }
  absl::StatusOr<LayerCounts> unpacked =
      Unpack(fds[0].get(), directory, LimitsFrom(job.getBudget()));
  if (!unpacked.ok()) return unpacked.status();
  LogLeftOut(*unpacked);
  FillCounts(*unpacked, result.initLayer());
  return absl::OkStatus();
}

}  // namespace
}  // namespace bulkhead::worker

int main() {
  using namespace bulkhead;
  worker::LoadCharacterSets();
  return worker::RunWorker<schema::UnpackJob, schema::UnpackResult>(
      security::kUnpackProfile, 2, [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        ipc::WriteStatus(worker::Run(job, fds, result), result.initStatus());
        return worker::JobResult{};
      });
}
