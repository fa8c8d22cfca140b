#include "broker/audit/operation.h"
#include "broker/operations/image.h"
#include "broker/server/answer.h"
#include "broker/server/broker_server.h"

namespace bulkhead::broker {

kj::Promise<void> BrokerServer::imageStatus(ImageStatusContext context) {
  auto results = context.getResults();
  const auto* image = broker_.state.FindImage(context.getParams().getImage().cStr());
  results.setFound(image != nullptr);
  if (image != nullptr) results.setImage(image->read());
  return kj::READY_NOW;
}

kj::Promise<void> BrokerServer::listImages(ListImagesContext context) {
  auto results = context.getResults();
  absl::string_view wanted = context.getParams().getImage().cStr();
  if (!wanted.empty()) {
    if (const auto* image = broker_.state.FindImage(wanted)) {
      results.initImages(1).setWithCaveats(0, image->read());
    }
    return kj::READY_NOW;
  }
  auto list = results.initImages(broker_.state.images().size());
  unsigned i = 0;
  for (const auto& [id, image] : broker_.state.images()) list.setWithCaveats(i++, image.read());
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
