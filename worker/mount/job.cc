#include "worker/mount/job.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/mount.h"
#include "base/status.h"
#include "ipc/status_codec.h"
#include "security/policy/pod_ids.h"

namespace bulkhead::mount {
namespace {

using base::UniqueFd;

constexpr size_t kDigestBytes = 32;
constexpr size_t kMaxVolumes = ipc::kMaxFds - 1;

absl::Status CheckJob(schema::MountJob::Reader job) {
  if (!base::IsId(job.getContainerId().cStr())) {
    return absl::InvalidArgumentError("container id: not 64 hex digits");
  }
  for (schema::Digest::Reader layer : job.getLayers()) {
    if (layer.getBytes().size() != kDigestBytes) {
      return absl::InvalidArgumentError("layer: not a SHA-256 digest");
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

// A pod's own user namespace, and the one that shows layers with its owners. Empty: the pod has
// none.
struct PodIds {
  UniqueFd user;
  UniqueFd layers;
};

absl::StatusOr<UniqueFd> OpenPin(int pod, const char* name) {
  UniqueFd pin(openat(pod, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct statfs where;
  if (!pin || fstatfs(pin.get(), &where) != 0) {
    return base::ErrnoStatus(absl::StrCat("open the pod's ", name));
  }
  if (where.f_type == NSFS_MAGIC) return pin;
  return absl::FailedPreconditionError(absl::StrCat("the pod's ", name, ": not pinned"));
}

absl::StatusOr<PodIds> OpenPodIds(schema::MountJob::Reader job, const Places& places) {
  PodIds ids;
  if (job.getPodId().size() == 0) return ids;
  if (!base::IsId(job.getPodId().cStr())) {
    return absl::InvalidArgumentError("pod id: not 64 hex digits");
  }
  BULKHEAD_RETURN_IF_ERROR(
      security::CheckPodIds(job.getIdMapping().getHostId(), job.getIdMapping().getLength()));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd pod,
                            base::OpenAt(places.run, absl::StrCat("pods/", job.getPodId().cStr()),
                                         O_PATH | O_DIRECTORY, base::Resolve::kBeneathNoSymlinks));
  BULKHEAD_ASSIGN_OR_RETURN(ids.user, OpenPin(pod.get(), "user"));
  BULKHEAD_ASSIGN_OR_RETURN(ids.layers, OpenPin(pod.get(), "layer-ids"));
  return ids;
}

absl::StatusOr<UniqueFd> OpenVolume(schema::MountJob::Volume::Reader volume) {
  const std::string path = volume.getHostPath().cStr();
  absl::StatusOr<UniqueFd> source = base::OpenAt(AT_FDCWD, path, O_PATH, base::Resolve::kHost);
  if (!absl::IsNotFound(source.status()) || !volume.getCreateDirectory()) return source;
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectories(path, 0755));
  return base::OpenAt(AT_FDCWD, path, O_PATH, base::Resolve::kHost);
}

absl::StatusOr<UniqueFd> CloneVolume(schema::MountJob::Volume::Reader volume, int source,
                                     const PodIds& ids) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd clone, base::CloneMount(source, "", volume.getRecursive()));
  if (volume.getIdMapped()) {
    if (!ids.user) return absl::InvalidArgumentError("the pod has no user namespace");
    BULKHEAD_RETURN_IF_ERROR(base::Annotate(
        base::SetMountAttributes(clone.get(), volume.getRecursive(), 0, 0, 0, ids.user.get()),
        "map its owners"));
  }
  if (volume.getReadOnly()) {
    BULKHEAD_RETURN_IF_ERROR(base::SetMountAttributes(clone.get(), volume.getRecursiveReadOnly(),
                                                      MOUNT_ATTR_RDONLY, 0, 0, -1));
  }
  return clone;
}

absl::Status CloneVolumes(schema::MountJob::Reader job, const PodIds& ids,
                          schema::MountResult::Builder result, std::vector<UniqueFd>* volumes) {
  auto is_directory = result.initVolumeIsDirectory(job.getVolumes().size());
  for (unsigned i = 0; i < job.getVolumes().size(); ++i) {
    const schema::MountJob::Volume::Reader volume = job.getVolumes()[i];
    BULKHEAD_ASSIGN_OR_RETURN(UniqueFd source, OpenVolume(volume));
    struct stat st;
    if (fstat(source.get(), &st) != 0) return base::ErrnoStatus("stat volume");
    is_directory.set(i, S_ISDIR(st.st_mode));
    absl::StatusOr<UniqueFd> clone = CloneVolume(volume, source.get(), ids);
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

// What is at the top of the upper directory is / of the container, which is its root's.
absl::Status GiveUpper(int directory, uint32_t owner) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd upper, base::OpenAt(directory, "upper", O_RDONLY | O_DIRECTORY,
                                                         base::Resolve::kBeneathNoSymlinks));
  if (fchown(upper.get(), owner, owner) != 0) return base::ErrnoStatus("chown upper");
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> BuildRootfs(schema::MountJob::Reader job, const Places& places,
                                     const PodIds& ids, OverlayMethod method) {
  OverlayRequest request = {.layers = places.layers,
                            .layer_ids = ids.layers ? ids.layers.get() : places.layer_ids};
  for (schema::Digest::Reader layer : job.getLayers()) {
    const auto bytes = layer.getBytes().asChars();
    request.names.push_back(base::ToHex({bytes.begin(), bytes.size()}));
  }
  const std::string id = job.getContainerId().cStr();
  UniqueFd directory;
  absl::Cleanup undo = [&] {
    if (!job.getReadOnly()) (void)base::RemoveTree(places.containers, id);
  };
  if (!job.getReadOnly()) {
    BULKHEAD_ASSIGN_OR_RETURN(directory, MakeUpper(places.containers, id));
    if (ids.layers) {
      BULKHEAD_RETURN_IF_ERROR(GiveUpper(directory.get(), job.getIdMapping().getHostId()));
    }
    request.container = directory.get();
  }
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd rootfs, MountOverlay(request, method));
  std::move(undo).Cancel();
  return rootfs;
}

// Volumes first: building the rootfs may leave the node's mount namespace, where volumes are found.
absl::StatusOr<std::vector<UniqueFd>> Build(schema::MountJob::Reader job, const Places& places,
                                            schema::MountResult::Builder result,
                                            OverlayMethod method) {
  BULKHEAD_RETURN_IF_ERROR(CheckJob(job));
  BULKHEAD_ASSIGN_OR_RETURN(const PodIds ids, OpenPodIds(job, places));
  std::vector<UniqueFd> mounts(1);
  BULKHEAD_RETURN_IF_ERROR(CloneVolumes(job, ids, result, &mounts));
  BULKHEAD_ASSIGN_OR_RETURN(mounts[0], BuildRootfs(job, places, ids, method));
  return mounts;
}

}  // namespace

worker::JobResult RunMountJob(schema::MountJob::Reader job, const Places& places,
                              schema::MountResult::Builder result, OverlayMethod method) {
  absl::StatusOr<std::vector<UniqueFd>> mounts = Build(job, places, result, method);
  ipc::WriteStatus(mounts.status(), result.initStatus());
  worker::JobResult out;
  if (mounts.ok()) out.fds = *std::move(mounts);
  return out;
}

}  // namespace bulkhead::mount
