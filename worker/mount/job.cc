#include "worker/mount/job.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/mount.h"
#include "base/status.h"
#include "ipc/status_codec.h"
#include "validate/mount_options.h"
#include "worker/mount/pod_ids.h"
#include "worker/mount/volumes.h"

namespace bulkhead::mount {
namespace {

using base::UniqueFd;

constexpr size_t kDigestBytes = 32;
constexpr size_t kMaxVolumes = ipc::kMaxFds - 1;

absl::Status CheckLayers(capnp::List<schema::Digest>::Reader layers) {
  for (schema::Digest::Reader layer : layers) {
    if (layer.getBytes().size() != kDigestBytes) {
      return absl::InvalidArgumentError("layer: not a SHA-256 digest");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(uint64_t options) {
  if (validate::AreMountOptions(options)) return absl::OkStatus();
  return absl::InvalidArgumentError("mount options: not ones that a mount may have");
}

absl::Status CheckImageVolume(schema::MountJob::ImageVolume::Reader image) {
  BULKHEAD_RETURN_IF_ERROR(CheckLayers(image.getLayers()));
  BULKHEAD_RETURN_IF_ERROR(CheckOptions(image.getOptions()));
  if (image.getSubPath().size() == 0) return absl::OkStatus();
  return base::CleanRelativePath("sub path", image.getSubPath().cStr()).status();
}

absl::Status CheckJob(schema::MountJob::Reader job, size_t shared) {
  if (!base::IsId(job.getContainerId().cStr())) {
    return absl::InvalidArgumentError("container id: not 64 hex digits");
  }
  BULKHEAD_RETURN_IF_ERROR(CheckLayers(job.getLayers()));
  if (job.getShared().size() != shared) {
    return absl::InvalidArgumentError("shared layers: not as many mounts as indices");
  }
  for (uint32_t index : job.getShared()) {
    if (index >= job.getLayers().size()) {
      return absl::InvalidArgumentError("shared layers: no such layer");
    }
  }
  const size_t count = job.getVolumes().size() + job.getImages().size() + job.getOwnVolumes();
  if (count > kMaxVolumes) {
    return absl::ResourceExhaustedError(absl::StrCat("volumes: more than ", kMaxVolumes));
  }
  for (schema::MountJob::Volume::Reader volume : job.getVolumes()) {
    if (!base::IsCleanAbsolutePath(volume.getHostPath().cStr())) {
      return absl::InvalidArgumentError("volume: not a clean absolute path");
    }
    BULKHEAD_RETURN_IF_ERROR(CheckOptions(volume.getOptions()));
  }
  for (schema::MountJob::ImageVolume::Reader image : job.getImages()) {
    BULKHEAD_RETURN_IF_ERROR(CheckImageVolume(image));
  }
  return absl::OkStatus();
}

absl::Status MakeWithMode(int parent, const char* name, mode_t mode) {
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(parent, name, mode));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd directory, base::OpenAt(parent, name, O_RDONLY | O_DIRECTORY,
                                                             base::Resolve::kBeneathNoSymlinks));
  // Whatever the umask.
  if (fchmod(directory.get(), mode) != 0) return base::ErrnoStatus(absl::StrCat("chmod ", name));
  return absl::OkStatus();
}

// Its owner becomes the pod's root, whose ids may not be the node's.
absl::Status Give(int parent, const std::string& name, uint32_t owner) {
  if (owner == 0) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd directory, base::OpenAt(parent, name, O_RDONLY | O_DIRECTORY,
                                                             base::Resolve::kBeneathNoSymlinks));
  if (fchown(directory.get(), owner, owner) == 0) return absl::OkStatus();
  return base::ErrnoStatus(absl::StrCat("chown ", name));
}

// <containers>/<id>/{upper,work}. The upper directory's mode and owner are those of / in the
// container.
absl::Status MakeUpper(int container, uint32_t owner) {
  BULKHEAD_RETURN_IF_ERROR(MakeWithMode(container, "upper", 0755));
  BULKHEAD_RETURN_IF_ERROR(Give(container, "upper", owner));
  return MakeWithMode(container, "work", 0700);
}

// <containers>/<id>/volumes/<n>, empty: another worker fills them.
absl::Status MakeOwnVolumes(int container, unsigned count, uint32_t owner,
                            std::vector<UniqueFd>* volumes) {
  if (count == 0) return absl::OkStatus();
  BULKHEAD_RETURN_IF_ERROR(MakeWithMode(container, "volumes", 0700));
  for (unsigned i = 0; i < count; ++i) {
    const std::string name = absl::StrCat("volumes/", i);
    BULKHEAD_RETURN_IF_ERROR(MakeWithMode(container, name.c_str(), 0755));
    BULKHEAD_RETURN_IF_ERROR(Give(container, name, owner));
    BULKHEAD_ASSIGN_OR_RETURN(
        UniqueFd directory,
        base::OpenAt(container, name, O_PATH | O_DIRECTORY, base::Resolve::kBeneathNoSymlinks));
    BULKHEAD_ASSIGN_OR_RETURN(UniqueFd clone, base::CloneMount(directory.get(), "", false));
    BULKHEAD_RETURN_IF_ERROR(
        base::SetMountAttributes(clone.get(), false, MOUNT_ATTR_NODEV, 0, MS_PRIVATE, -1));
    volumes->push_back(std::move(clone));
  }
  return absl::OkStatus();
}

std::vector<Layer> StackOf(capnp::List<schema::Digest>::Reader layers) {
  std::vector<Layer> stack;
  for (schema::Digest::Reader layer : layers) {
    const auto bytes = layer.getBytes().asChars();
    stack.push_back({.name = base::ToHex({bytes.begin(), bytes.size()})});
  }
  return stack;
}

// One overlay of the job: of the container's root, or of an image that it sees as a volume.
struct Overlay {
  OverlayRequest request;
  std::vector<UniqueFd> layers;
};

// What is shared carries no mapping of ids, and each view gets its own: pods of any mapping share.
absl::StatusOr<Overlay> OpenOverlay(std::vector<Layer> stack, const Places& places,
                                    const PodIds& ids, std::vector<NewMount>* made) {
  Overlay overlay = {.request = {.layers = places.layers,
                                 .layer_ids = ids.layers ? ids.layers.get() : places.layer_ids,
                                 .stack = std::move(stack)}};
  BULKHEAD_ASSIGN_OR_RETURN(overlay.layers, OpenLayers(overlay.request, made));
  return overlay;
}

absl::StatusOr<UniqueFd> MountVolume(schema::MountJob::ImageVolume::Reader image, Overlay overlay,
                                     OverlayMethod method) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd mount,
                            MountOverlay(overlay.request, std::move(overlay.layers), method));
  if (image.getSubPath().size() > 0) {
    const std::string path = image.getSubPath().cStr();
    absl::StatusOr<UniqueFd> below = CloneBelow(std::move(mount), path, method);
    if (!below.ok()) return base::Annotate(below.status(), "image_sub_path");
    mount = *std::move(below);
  }
  BULKHEAD_RETURN_IF_ERROR(SetOptions(mount.get(), image.getOptions()));
  return mount;
}

// As many as may come back; the rest live as long as what was built on them.
void HandOver(std::vector<NewMount> made, uint32_t most, schema::MountResult::Builder result,
              std::vector<UniqueFd>* mounts) {
  const size_t count = std::min({made.size(), size_t{most}, ipc::kMaxFds - mounts->size()});
  auto indices = result.initNewMounts(count);
  for (size_t i = 0; i < count; ++i) {
    indices.set(i, made[i].layer);
    mounts->push_back(std::move(made[i].mount));
  }
}

// All that is found in the node's mount namespace comes first: mounting an overlay may leave it.
absl::Status BuildTrees(schema::MountJob::Reader job, std::vector<Layer> stack,
                        const Places& places, const PodIds& ids, int container,
                        OverlayMethod method, std::vector<NewMount>* made,
                        std::vector<UniqueFd>* mounts) {
  std::vector<UniqueFd> own;
  BULKHEAD_RETURN_IF_ERROR(MakeOwnVolumes(container, job.getOwnVolumes(), ids.root, &own));
  BULKHEAD_ASSIGN_OR_RETURN(Overlay root, OpenOverlay(std::move(stack), places, ids, made));
  if (!job.getReadOnly()) root.request.container = container;
  std::vector<Overlay> images;
  std::vector<NewMount> of_images;
  for (schema::MountJob::ImageVolume::Reader image : job.getImages()) {
    BULKHEAD_ASSIGN_OR_RETURN(Overlay overlay,
                              OpenOverlay(StackOf(image.getLayers()), places, ids, &of_images));
    images.push_back(std::move(overlay));
  }
  BULKHEAD_ASSIGN_OR_RETURN((*mounts)[0],
                            MountOverlay(root.request, std::move(root.layers), method));
  for (unsigned i = 0; i < images.size(); ++i) {
    BULKHEAD_ASSIGN_OR_RETURN(UniqueFd image,
                              MountVolume(job.getImages()[i], std::move(images[i]), method));
    mounts->push_back(std::move(image));
  }
  for (UniqueFd& volume : own) mounts->push_back(std::move(volume));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<UniqueFd>> Build(schema::MountJob::Reader job,
                                            const std::vector<UniqueFd>& shared,
                                            const Places& places,
                                            schema::MountResult::Builder result,
                                            OverlayMethod method) {
  BULKHEAD_RETURN_IF_ERROR(CheckJob(job, shared.size()));
  BULKHEAD_ASSIGN_OR_RETURN(const PodIds ids, OpenPodIds(job, places.run));
  std::vector<UniqueFd> mounts(1);
  BULKHEAD_RETURN_IF_ERROR(CloneVolumes(job, places.policies, ids, result, &mounts));
  const std::string id = job.getContainerId().cStr();
  UniqueFd container;
  absl::Cleanup undo = [&] {
    if (container) (void)base::RemoveTree(places.containers, id);
  };
  if (!job.getReadOnly() || job.getOwnVolumes() > 0) {
    BULKHEAD_RETURN_IF_ERROR(MakeWithMode(places.containers, id.c_str(), 0700));
    BULKHEAD_ASSIGN_OR_RETURN(container, base::OpenAt(places.containers, id, O_PATH | O_DIRECTORY,
                                                      base::Resolve::kBeneathNoSymlinks));
  }
  if (!job.getReadOnly()) BULKHEAD_RETURN_IF_ERROR(MakeUpper(container.get(), ids.root));
  std::vector<Layer> stack = StackOf(job.getLayers());
  for (size_t i = 0; i < shared.size(); ++i) stack[job.getShared()[i]].shared = shared[i].get();
  std::vector<NewMount> made;
  BULKHEAD_RETURN_IF_ERROR(
      BuildTrees(job, std::move(stack), places, ids, container.get(), method, &made, &mounts));
  HandOver(std::move(made), job.getMaxNewMounts(), result, &mounts);
  std::move(undo).Cancel();
  return mounts;
}

}  // namespace

worker::JobResult RunMountJob(schema::MountJob::Reader job, const std::vector<UniqueFd>& shared,
                              const Places& places, schema::MountResult::Builder result,
                              OverlayMethod method) {
  absl::StatusOr<std::vector<UniqueFd>> mounts = Build(job, shared, places, result, method);
  ipc::WriteStatus(mounts.status(), result.initStatus());
  worker::JobResult out;
  if (mounts.ok()) out.fds = *std::move(mounts);
  return out;
}

}  // namespace bulkhead::mount
