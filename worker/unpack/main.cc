// SECURITY: holds the read end of one pipe and one layer directory, and is root of a user namespace
// whose ids mean nothing on the node. The broker gives it its job; the stream's bytes come from
// whoever built the image, by way of inflate. Who owns this process through libarchive's flaw
// writes what it likes into that one directory, as ids that nobody on the node has: no more than a
// wicked image may do anyway.
#include <iconv.h>

#include "base/log.h"
#include "ipc/status_codec.h"
#include "schema/worker/unpack.capnp.h"
#include "security/enforce/enter.h"
#include "security/profile.h"
#include "worker/common/worker.h"
#include "worker/unpack/unpack.h"

namespace bulkhead::worker {
namespace {

// libarchive converts the names of PAX headers with iconv(3), which reads its table of modules at
// first use: that must be while there still is a file system. Both conversions are built into the C
// library.
void LoadCharacterSets() {
  iconv_t converter = iconv_open("ANSI_X3.4-1968", "UTF-8");
  if (converter != reinterpret_cast<iconv_t>(-1)) iconv_close(converter);
}

void LogSkipped(const Unpacked& unpacked) {
  if (unpacked.skipped_devices + unpacked.dropped_xattrs == 0) return;
  base::Log(base::Severity::kInfo, "left out of the layer",
            {{"devices", unpacked.skipped_devices}, {"xattrs", unpacked.dropped_xattrs}});
}

absl::Status Run(schema::UnpackJob::Reader job, const std::vector<base::UniqueFd>& fds,
                 schema::UnpackResult::Builder result) {
  if (fds.size() != 2) return absl::InvalidArgumentError("unpack job: needs two fds");
  const int directory = fds[1].get();
  if (absl::Status status =
          security::ConfineToDirectories({directory}, security::Access::kReadWrite);
      !status.ok()) {
    return status;
  }
  absl::StatusOr<Unpacked> unpacked =
      Unpack(fds[0].get(), directory, {job.getMaxBytes(), job.getMaxEntries()});
  if (!unpacked.ok()) return unpacked.status();
  LogSkipped(*unpacked);
  result.setBytes(unpacked->bytes);
  result.setEntries(unpacked->entries);
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
