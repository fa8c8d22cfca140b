#include "broker/operations/layer_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/remove.h"
#include "broker/spawner/worker.h"
#include "schema/worker/sync.capnp.h"

namespace bulkhead::broker {
namespace {

// Not finished: it is a directory, which takes a worker.
absl::StatusOr<bool> RemoveImageFile(Broker& broker, const std::string& name) {
  if (unlinkat(broker.directories.layers.get(), name.c_str(), 0) == 0 || errno == ENOENT)
    return true;
  if (errno == EISDIR || errno == EPERM) return false;
  return base::ErrnoStatus("remove a layer");
}

absl::Status SyncLayer(Fiber& fiber, Broker& broker, const std::string& hex) {
  int layers = broker.directories.layers.get();
  struct stat st;
  if (fstatat(layers, hex.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return base::ErrnoStatus("stat");
  base::UniqueFd image;  // a layer's directory is not ours to open
  if (S_ISREG(st.st_mode)) {
    BULKHEAD_ASSIGN_OR_RETURN(
        image, base::OpenAt(layers, hex, O_RDONLY, base::Resolve::kBeneathNoSymlinks));
  }
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::SyncJob>();
  BULKHEAD_ASSIGN_OR_RETURN(auto worker,
                            Worker::Start(fiber, broker.spawner, security::Kind::kSync, message,
                                          {layers, image ? image.get() : layers}));
  return worker->Finish<schema::SyncResult>(fiber);
}

std::string OneToWrite(const State& state) {
  for (const auto& [hex, layer] : state.layers()) {
    if (!layer.written_in_boot.empty()) return hex;
  }
  return "";
}

void WriteAllBack(Fiber& fiber, Broker& broker) {
  while (true) {
    const std::string hex = OneToWrite(broker.state);
    if (hex.empty()) break;
    absl::Status status = SyncLayer(fiber, broker, hex);
    auto found = broker.state.layers().find(hex);
    if (found == broker.state.layers().end()) continue;  // collected meanwhile
    LayerObject layer = found->second;
    layer.written_in_boot.clear();
    if (status.ok()) status = broker.state.SaveLayer(hex, layer);
    if (status.ok()) continue;
    base::Log(base::Severity::kError, "a layer could not be written to the disk",
              {{"layer", hex}, {"why", status.message()}});
    break;  // the next pull or start tries again
  }
  broker.writing_back = false;
}

}  // namespace

absl::StatusOr<Staging> MakeStaging(Broker& broker) {
  Staging staging{
      .name = absl::StrCat("tmp-", base::NewId().substr(0, 32)),
      .is_image = broker.config.getLayers().getDriver() == schema::Layers::Driver::IMAGE};
  int layers = broker.directories.layers.get();
  int flags = O_WRONLY | O_CREAT | O_EXCL;
  if (!staging.is_image) {
    flags = O_RDONLY | O_DIRECTORY;
    if (mkdirat(layers, staging.name.c_str(), 0700) < 0) {
      return base::ErrnoStatus("make a layer's directory");
    }
  }
  BULKHEAD_ASSIGN_OR_RETURN(
      staging.fd, base::OpenAt(layers, staging.name, flags, base::Resolve::kBeneathNoSymlinks,
                               staging.is_image ? 0600 : 0));
  return staging;
}

absl::Status CommitLayer(Broker& broker, const Staging& staging, const std::string& hex,
                         uint64_t bytes, uint64_t inodes) {
  int layers = broker.directories.layers.get();
  LayerObject layer = {
      .bytes = bytes, .inodes = inodes, .written_in_boot = base::ToHex(broker.boot_id)};
  struct stat st;
  // What an image takes is known; a directory's files take at least what they hold.
  if (staging.is_image && fstat(staging.fd.get(), &st) == 0) {
    layer.bytes = static_cast<uint64_t>(st.st_blocks) * 512;
  }
  if (renameat(layers, staging.name.c_str(), layers, hex.c_str()) < 0) {
    return base::ErrnoStatus("put a layer in its place");
  }
  return broker.state.SaveLayer(hex, layer);
}

void WriteBack(Broker& broker) {
  if (broker.writing_back) return;
  broker.writing_back = true;
  broker.loop.Detach([&broker](Fiber& fiber) { WriteAllBack(fiber, broker); });
}

absl::Status RemoveLayerFiles(Fiber& fiber, Broker& broker, const std::string& hex) {
  broker.layer_mounts.erase(hex);
  BULKHEAD_ASSIGN_OR_RETURN(bool removed, RemoveImageFile(broker, hex));
  return removed ? absl::OkStatus() : RemoveLayerDirectory(fiber, broker, hex);
}

absl::Status RemoveStaging(Fiber& fiber, Broker& broker, const std::string& name) {
  BULKHEAD_ASSIGN_OR_RETURN(bool removed, RemoveImageFile(broker, name));
  return removed ? absl::OkStatus() : RemoveStagingDirectory(fiber, broker, name);
}

}  // namespace bulkhead::broker
