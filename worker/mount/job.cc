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

namespace bulkhead::mount {
namespace {

using base::UniqueFd;

constexpr size_t kDigestBytes = 32;
constexpr size_t kMaxVolumes = ipc::kMaxFds - 1;

absl::Status CheckJob(schema::MountJob::Reader job, size_t shared) {
  if (!base::IsId(job.getContainerId().cStr())) {
    return absl::InvalidArgumentError("container id: not 64 hex digits");
  }
  for (schema::Digest::Reader layer : job.getLayers()) {
    if (layer.getBytes().size() != kDigestBytes) {
      return absl::InvalidArgumentError("layer: not a SHA-256 digest");
    }
  }
  if (job.getShared().size() != shared) {
    return absl::InvalidArgumentError("shared layers: not as many mounts as indices");
  }
  for (uint32_t index : job.getShared()) {
    if (index >= job.getLayers().size()) {
      return absl::InvalidArgumentError("shared layers: no such layer");
    }
  }
  if (job.getVolumes().size() > kMaxVolumes) {
    return absl::ResourceExhaustedError(absl::StrCat("volumes: more than ", kMaxVolumes));
  }
  for (schema::MountJob::Volume::Reader volume : job.getVolumes()) {
    if (!base::IsCleanAbsolutePath(volume.getHostPath().cStr())) {
      return absl::InvalidArgumentError("volume: not a clean absolute path");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenVolume(schema::MountJob::Volume::Reader volume) {
  const std::string path = volume.getHostPath().cStr();
  absl::StatusOr<UniqueFd> source = base::OpenAt(AT_FDCWD, path, O_PATH, base::Resolve::kHost);
  if (!absl::IsNotFound(source.status()) || !volume.getCreateDirectory()) return source;
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectories(path, 0755));
  return base::OpenAt(AT_FDCWD, path, O_PATH, base::Resolve::kHost);
}

absl::StatusOr<UniqueFd> CloneVolume(schema::MountJob::Volume::Reader volume, int source) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd clone, base::CloneMount(source, "", volume.getRecursive()));
  if (volume.getReadOnly()) {
    BULKHEAD_RETURN_IF_ERROR(base::SetMountAttributes(clone.get(), volume.getRecursiveReadOnly(),
                                                      MOUNT_ATTR_RDONLY, 0, 0, -1));
  }
  return clone;
}

absl::Status CloneVolumes(schema::MountJob::Reader job, schema::MountResult::Builder result,
                          std::vector<UniqueFd>* volumes) {
  auto is_directory = result.initVolumeIsDirectory(job.getVolumes().size());
  for (unsigned i = 0; i < job.getVolumes().size(); ++i) {
    const schema::MountJob::Volume::Reader volume = job.getVolumes()[i];
    BULKHEAD_ASSIGN_OR_RETURN(UniqueFd source, OpenVolume(volume));
    struct stat st;
    if (fstat(source.get(), &st) != 0) return base::ErrnoStatus("stat volume");
    is_directory.set(i, S_ISDIR(st.st_mode));
    absl::StatusOr<UniqueFd> clone = CloneVolume(volume, source.get());
    if (!clone.ok()) return base::Annotate(clone.status(), volume.getHostPath().cStr());
    volumes->push_back(*std::move(clone));
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

// <containers>/<id>/{upper,work}. The upper directory's mode is that of / in the container.
absl::StatusOr<UniqueFd> MakeUpper(int containers, const std::string& id) {
  BULKHEAD_RETURN_IF_ERROR(MakeWithMode(containers, id.c_str(), 0700));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd directory, base::OpenAt(containers, id, O_PATH | O_DIRECTORY,
                                                             base::Resolve::kBeneathNoSymlinks));
  BULKHEAD_RETURN_IF_ERROR(MakeWithMode(directory.get(), "upper", 0755));
  BULKHEAD_RETURN_IF_ERROR(MakeWithMode(directory.get(), "work", 0700));
  return directory;
}

std::vector<Layer> StackOf(schema::MountJob::Reader job, const std::vector<UniqueFd>& shared) {
  std::vector<Layer> stack;
  for (schema::Digest::Reader layer : job.getLayers()) {
    const auto bytes = layer.getBytes().asChars();
    stack.push_back({.name = base::ToHex({bytes.begin(), bytes.size()})});
  }
  for (size_t i = 0; i < shared.size(); ++i) stack[job.getShared()[i]].shared = shared[i].get();
  return stack;
}

absl::StatusOr<UniqueFd> BuildRootfs(schema::MountJob::Reader job, const Places& places,
                                     std::vector<Layer> stack, OverlayMethod method,
                                     std::vector<NewMount>* made) {
  OverlayRequest request = {
      .layers = places.layers, .layer_ids = places.layer_ids, .stack = std::move(stack)};
  const std::string id = job.getContainerId().cStr();
  UniqueFd directory;
  absl::Cleanup undo = [&] {
    if (!job.getReadOnly()) (void)base::RemoveTree(places.containers, id);
  };
  if (!job.getReadOnly()) {
    BULKHEAD_ASSIGN_OR_RETURN(directory, MakeUpper(places.containers, id));
    request.container = directory.get();
  }
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd rootfs, MountOverlay(request, method, made));
  std::move(undo).Cancel();
  return rootfs;
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

// Volumes first: building the rootfs may leave the node's mount namespace, where volumes are found.
absl::StatusOr<std::vector<UniqueFd>> Build(schema::MountJob::Reader job,
                                            const std::vector<UniqueFd>& shared,
                                            const Places& places,
                                            schema::MountResult::Builder result,
                                            OverlayMethod method) {
  BULKHEAD_RETURN_IF_ERROR(CheckJob(job, shared.size()));
  std::vector<UniqueFd> mounts(1);
  BULKHEAD_RETURN_IF_ERROR(CloneVolumes(job, result, &mounts));
  std::vector<NewMount> made;
  BULKHEAD_ASSIGN_OR_RETURN(mounts[0],
                            BuildRootfs(job, places, StackOf(job, shared), method, &made));
  HandOver(std::move(made), job.getMaxNewMounts(), result, &mounts);
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
