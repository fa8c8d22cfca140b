#include "worker/sandbox/pod_directory.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"

namespace bulkhead::sandbox {
namespace {

constexpr char kPods[] = "pods";
// Others pass, to what containers are given of it, but do not look.
constexpr mode_t kMode = 0711;
// Mounts on one pin: one, or two after a crash between the mount and its undoing.
constexpr int kMaxStackedMounts = 16;

std::string PodPath(const std::string& pod_id) { return absl::StrCat(kPods, "/", pod_id); }

absl::Status Unmount(int pod, const char* name) {
  // umount2 knows no directory fd; the link of procfs leads to the same directory whatever its path
  // is now.
  const std::string path = absl::StrCat("/proc/self/fd/", pod, "/", name);
  for (int i = 0; i < kMaxStackedMounts; ++i) {
    if (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
    // EINVAL: there, but nothing is mounted on it.
    if (errno == EINVAL || errno == ENOENT) return absl::OkStatus();
    return base::ErrnoStatus(absl::StrCat("unpin ", name));
  }
  return absl::InternalError(absl::StrCat("unpin ", name, ": mounted too often"));
}

}  // namespace

absl::StatusOr<base::UniqueFd> MakePodDirectory(int run, const std::string& pod_id) {
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(run, kPods, kMode));
  const std::string path = PodPath(pod_id);
  if (mkdirat(run, path.c_str(), kMode) != 0)
    return base::ErrnoStatus(absl::StrCat("mkdir ", path));
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, base::OpenAt(run, path, O_RDONLY | O_DIRECTORY,
                                                            base::Resolve::kBeneathNoSymlinks));
  if (fchmod(fd.get(), kMode) != 0) return base::ErrnoStatus(absl::StrCat("chmod ", path));
  return fd;
}

absl::Status RemovePodDirectory(int run, const std::string& pod_id) {
  const std::string path = PodPath(pod_id);
  absl::StatusOr<base::UniqueFd> fd =
      base::OpenAt(run, path, O_RDONLY | O_DIRECTORY, base::Resolve::kBeneathNoSymlinks);
  if (absl::IsNotFound(fd.status())) return absl::OkStatus();
  if (!fd.ok()) return fd.status();
  for (const char* name : {kNetworkPin, kIpcPin, kUtsPin, kUserPin, kLayerIdsPin, kShmMount}) {
    BULKHEAD_RETURN_IF_ERROR(Unmount(fd->get(), name));
  }
  return base::RemoveTree(run, path);
}

absl::StatusOr<base::UniqueFd> OpenPin(int run, const std::string& pod_id, const char* name) {
  if (!base::IsId(pod_id)) return absl::InvalidArgumentError("pod: not an id");
  // Across the mount that a pin is.
  return base::OpenAt(run, absl::StrCat(PodPath(pod_id), "/", name), O_RDONLY,
                      base::Resolve::kInRoot);
}

absl::StatusOr<base::UniqueFd> MakeMountPoint(int pod, const char* name) {
  return base::OpenAt(pod, name, O_RDONLY | O_CREAT | O_EXCL, base::Resolve::kBeneathNoSymlinks,
                      0444);
}

}  // namespace bulkhead::sandbox
