// SECURITY: holds one archive to write and one image's blobs to read; no file system, no network, no
// other process. The broker gives it its job; the manifest that it looks into comes from whoever
// made the image. Who owns this process can write a wrong archive.
#include "ipc/status_codec.h"
#include "schema/worker/export.capnp.h"
#include "security/profile.h"
#include "worker/common/worker.h"
#include "worker/export/layout_writer.h"

namespace bulkhead::worker {
namespace {

absl::Status Run(schema::ExportJob::Reader job, const std::vector<base::UniqueFd>& fds,
                 schema::ExportResult::Builder result) {
  auto digests = job.getDigests();
  if (fds.size() != digests.size() + 1) {
    return absl::InvalidArgumentError("export job: needs an fd for the archive and each blob");
  }
  ExportedImage image{.has_manifest = job.getHasManifest()};
  for (auto name : job.getNames()) image.names.push_back(name);
  for (unsigned i = 0; i < digests.size(); ++i) {
    auto bytes = digests[i].getBytes().asChars();
    image.blobs.push_back(
        {.fd = fds[i + 1].get(), .digest = std::string(bytes.begin(), bytes.size())});
  }
  absl::StatusOr<uint64_t> size = WriteLayout(fds[0].get(), image);
  if (!size.ok()) return size.status();
  result.setBytes(*size);
  return absl::OkStatus();
}

}  // namespace
}  // namespace bulkhead::worker

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::ExportJob, schema::ExportResult>(
      security::kExportProfile, ipc::kMaxFds,
      [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        ipc::WriteStatus(worker::Run(job, fds, result), result.initStatus());
        return worker::JobResult{};
      });
}
