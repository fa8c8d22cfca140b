// SECURITY: holds one blob (read-only) and the write end of one pipe; no file system, no network,
// no other process. The broker gives it its job; the blob's bytes come from whoever built the
// image. Who owns this process through a decoder's flaw can give unpack other bytes than the blob
// holds but not lie about them: unpack hashes the stream itself, trusts no byte of it, and the
// layer counts only where that digest is the one that the image names.
#include <signal.h>

#include "ipc/status_codec.h"
#include "schema/worker/inflate.capnp.h"
#include "security/profile.h"
#include "worker/common/own_limits.h"
#include "worker/common/worker.h"
#include "worker/inflate/inflate.h"

namespace bulkhead::worker {
namespace {

kj::ArrayPtr<const kj::byte> Bytes(const std::string& text) {
  return kj::arrayPtr(reinterpret_cast<const kj::byte*>(text.data()), text.size());
}

absl::Status Run(schema::InflateJob::Reader job, const std::vector<base::UniqueFd>& fds,
                 schema::InflateResult::Builder result) {
  if (fds.size() != (job.getGrowing() ? 3 : 2)) {
    return absl::InvalidArgumentError("inflate job: needs two fds, or three while the blob grows");
  }
  absl::Status limited = LimitCpu(job.getCpuSeconds());
  if (!limited.ok()) return limited;
  absl::StatusOr<Inflated> inflated = Inflate(fds[0].get(), {job.getOffset(), job.getSize()},
                                              fds[1].get(), {job.getMaxBytes(), job.getMaxRatio()},
                                              {.complete = job.getGrowing() ? fds[2].get() : -1});
  if (!inflated.ok()) return inflated.status();
  result.initDigest().setBytes(Bytes(inflated->digest));
  result.setBytes(inflated->bytes);
  return absl::OkStatus();
}

}  // namespace
}  // namespace bulkhead::worker

int main() {
  using namespace bulkhead;
  signal(SIGPIPE, SIG_IGN);  // a vanished reader is an answer, not a death
  return worker::RunWorker<schema::InflateJob, schema::InflateResult>(
      security::kInflateProfile, 3, [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        ipc::WriteStatus(worker::Run(job, fds, result), result.initStatus());
        return worker::JobResult{};
      });
}
