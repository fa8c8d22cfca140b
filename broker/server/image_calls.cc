#include <fcntl.h>

#include "absl/strings/strip.h"
#include "base/fs.h"
#include "base/ids.h"
#include "broker/audit/operation.h"
#include "broker/operations/image.h"
#include "broker/operations/layer.h"
#include "broker/server/answer.h"
#include "broker/server/broker_server.h"

namespace bulkhead::broker {
namespace {

// More than this is not for people to read, and nothing but people reads it.
constexpr uint64_t kMaxShownBytes = 256 << 10;

std::string ReadSmallBlob(Broker& broker, absl::string_view hex) {
  auto file = base::OpenAt(broker.directories.blobs.get(), std::string(hex), O_RDONLY,
                           base::Resolve::kBeneathNoSymlinks);
  if (!file.ok()) return "";
  auto bytes = base::ReadAll(file->get(), kMaxShownBytes);
  return bytes.ok() ? *std::move(bytes) : "";
}

kj::ArrayPtr<const kj::byte> Bytes(const std::string& text) {
  return kj::StringPtr(text.c_str(), text.size()).asBytes();
}

}  // namespace

kj::Promise<void> BrokerServer::imageStatus(ImageStatusContext context) {
  auto params = context.getParams();
  auto results = context.getResults();
  const auto* image = broker_.state.FindImage(params.getImage().cStr());
  results.setFound(image != nullptr);
  if (image == nullptr) return kj::READY_NOW;
  results.setImage(image->read());
  results.getImage().setPinned(IsPinned(broker_, image->read()));
  if (!params.getVerbose()) return kj::READY_NOW;
  results.setConfig(
      Bytes(ReadSmallBlob(broker_, absl::StripPrefix(image->read().getId().cStr(), "sha256:"))));
  results.setManifest(
      Bytes(ReadSmallBlob(broker_, base::ToHex(DigestBytes(image->read().getManifest())))));
  return kj::READY_NOW;
}

kj::Promise<void> BrokerServer::listImages(ListImagesContext context) {
  auto results = context.getResults();
  absl::string_view wanted = context.getParams().getImage().cStr();
  std::vector<const Record<schema::Image>*> found;
  if (!wanted.empty()) {
    if (const auto* image = broker_.state.FindImage(wanted)) found.push_back(image);
  } else {
    for (const auto& [id, image] : broker_.state.images()) found.push_back(&image);
  }
  auto list = results.initImages(found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    list.setWithCaveats(i, found[i]->read());
    list[i].setPinned(IsPinned(broker_, found[i]->read()));
  }
  return kj::READY_NOW;
}

kj::Promise<void> BrokerServer::removeImage(RemoveImageContext context) {
  std::string name = context.getParams().getImage();
  return Answer(broker_.loop, context, [this, name](Fiber& fiber) {
    return Operation(fiber, broker_, "RemoveImage").OfImage(name).Run([&] {
      return RemoveImage(fiber, broker_, name);
    });
  });
}

kj::Promise<void> BrokerServer::imageFsInfo(ImageFsInfoContext context) {
  return Answer(
      broker_.loop, context,
      [this](Fiber& fiber) {
        CountDisks(fiber, broker_, {});
        return absl::OkStatus();
      },
      [this](auto results) {
        uint64_t bytes = 0, inodes = 0, written = 0, written_inodes = 0;
        for (const auto& [hex, layer] : broker_.state.layers()) {
          bytes += layer.bytes;
          inodes += layer.inodes;
        }
        for (const auto& [id, disk] : broker_.stats.disks) {
          written += disk.bytes;
          written_inodes += disk.inodes;
        }
        results.setMountpoint(broker_.config.getRootDir());
        results.setUsedBytes(bytes);
        results.setInodesUsed(inodes);
        results.setContainerBytes(written);
        results.setContainerInodes(written_inodes);
      });
}

}  // namespace bulkhead::broker
