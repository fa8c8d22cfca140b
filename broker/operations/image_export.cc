#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/image.h"
#include "broker/operations/layer.h"
#include "broker/spawner/worker.h"
#include "schema/worker/export.capnp.h"

namespace bulkhead::broker {
namespace {

// The digests (32 bytes) of all that makes up the image, in the order of
// schema/worker/export.capnp.
absl::StatusOr<std::vector<std::string>> BlobsOf(schema::Image::Reader image) {
  std::vector<std::string> digests;
  std::string manifest = DigestBytes(image.getManifest());
  if (!manifest.empty()) digests.push_back(manifest);
  digests.push_back(base::FromHex(absl::StripPrefix(image.getId().cStr(), "sha256:")));
  for (auto layer : image.getLayerBlobs()) digests.push_back(DigestBytes(layer));
  if (image.getLayerBlobs().size() == image.getConfig().getDiffIds().size()) return digests;
  return absl::FailedPreconditionError(
      absl::StrCat("image ", image.getId().cStr(),
                   ": its layers were not kept as they came ([images] keep_layers)"));
}

absl::StatusOr<std::vector<base::UniqueFd>> OpenBlobs(Broker& broker,
                                                      const std::vector<std::string>& digests) {
  std::vector<base::UniqueFd> files;
  for (const std::string& digest : digests) {
    auto file = base::OpenAt(broker.directories.blobs.get(), base::ToHex(digest), O_RDONLY,
                             base::Resolve::kBeneathNoSymlinks);
    if (absl::IsNotFound(file.status())) {
      return absl::FailedPreconditionError(absl::StrCat(
          "blob ", DigestText(digest), " is not kept; pull or import the image again"));
    }
    if (!file.ok()) return file.status();
    files.push_back(*std::move(file));
  }
  return files;
}

}  // namespace

absl::StatusOr<uint64_t> ExportImage(Fiber& fiber, Broker& broker, const std::string& name,
                                     int archive) {
  struct stat about = {};
  if (fstat(archive, &about) < 0 || !S_ISREG(about.st_mode) || about.st_size != 0) {
    return absl::InvalidArgumentError("archive: not a regular file, or not empty");
  }
  const Record<schema::Image>* found = broker.state.FindImage(name);
  if (found == nullptr) return absl::NotFoundError(absl::StrCat("image ", name, ": not found"));
  Record<schema::Image> image(found->read());
  auto pinned = broker.PinLayers();
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> digests, BlobsOf(image.read()));
  if (digests.size() + 1 > ipc::kMaxFds) {
    return absl::FailedPreconditionError("export: the image has too many layers");
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<base::UniqueFd> files, OpenBlobs(broker, digests));
  std::vector<int> fds = {archive};
  for (const base::UniqueFd& file : files) fds.push_back(file.get());
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::ExportJob>();
  job.setNames(image.read().getRepoTags());
  job.setHasManifest(image.read().getManifest().getBytes().size() > 0);
  auto list = job.initDigests(digests.size());
  for (size_t i = 0; i < digests.size(); ++i) {
    list[i].setBytes(kj::StringPtr(digests[i].c_str(), digests[i].size()).asBytes());
  }
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kExport, message, fds));
  uint64_t bytes = 0;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::ExportResult>(
      fiber, [&](schema::ExportResult::Reader result, std::vector<base::UniqueFd>&) {
        bytes = result.getBytes();
        return absl::OkStatus();
      }));
  return bytes;
}

}  // namespace bulkhead::broker
