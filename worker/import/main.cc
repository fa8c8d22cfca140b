// SECURITY: holds one archive (read-only); no file system, no network, no other process. The broker
// gives it its job; the archive comes from an administrator who may have got it anywhere. Who owns
// this process can name wrong places in that archive: what lies there is hashed and parsed by
// others, and only as far as the archive's own digests go.
#include <iconv.h>

#include "ipc/status_codec.h"
#include "schema/worker/import.capnp.h"
#include "security/profile.h"
#include "worker/common/worker.h"
#include "worker/import/import.h"

namespace bulkhead::worker {
namespace {

// libarchive converts the names of PAX headers with iconv(3), which reads its table of modules at
// first use: that must be while there still is a file system. Both conversions are built into the C
// library.
void LoadCharacterSets() {
  iconv_t converter = iconv_open("ANSI_X3.4-1968", "UTF-8");
  if (converter != reinterpret_cast<iconv_t>(-1)) iconv_close(converter);
}

void WriteSection(const Section& from, schema::ImportResult::Section::Builder to) {
  to.setOffset(from.extent.offset);
  to.setSize(from.extent.size);
  to.setHasDigest(!from.digest.empty());
  if (!from.digest.empty()) WriteDigest(from.digest, to.initDigest());
  to.setMediaType(from.media_type);
}

void WriteImage(const FoundImage& from, schema::ImportResult::Image::Builder to) {
  auto tags = to.initRepoTags(from.repo_tags.size());
  for (size_t i = 0; i < from.repo_tags.size(); ++i) tags.set(i, from.repo_tags[i]);
  WriteSection(from.index, to.initIndex());
  WriteSection(from.manifest, to.initManifest());
  WriteSection(from.config, to.initConfig());
  auto layers = to.initLayers(from.layers.size());
  for (size_t i = 0; i < from.layers.size(); ++i) WriteSection(from.layers[i], layers[i]);
}

void WriteSignatures(const FoundSignatures& from, schema::ImportResult::Signatures::Builder to) {
  WriteSection(from.manifest, to.initManifest());
  auto payloads = to.initPayloads(from.payloads.size());
  for (size_t i = 0; i < from.payloads.size(); ++i) WriteSection(from.payloads[i], payloads[i]);
}

absl::Status Run(schema::ImportJob::Reader job, const std::vector<base::UniqueFd>& fds,
                 schema::ImportResult::Builder result) {
  if (fds.size() != 1) return absl::InvalidArgumentError("import job: needs one fd");
  Platform wanted{job.getArchitecture(), job.getVariant()};
  absl::StatusOr<Found> found = FindImages(fds[0].get(), wanted);
  if (!found.ok()) return found.status();
  auto list = result.initImages(found->images.size());
  for (size_t i = 0; i < found->images.size(); ++i) WriteImage(found->images[i], list[i]);
  auto signatures = result.initSignatures(found->signatures.size());
  for (size_t i = 0; i < found->signatures.size(); ++i) {
    WriteSignatures(found->signatures[i], signatures[i]);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace bulkhead::worker

int main() {
  using namespace bulkhead;
  worker::LoadCharacterSets();
  return worker::RunWorker<schema::ImportJob, schema::ImportResult>(
      security::kImportProfile, 1, [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        ipc::WriteStatus(worker::Run(job, fds, result), result.initStatus());
        return worker::JobResult{};
      });
}
