#include "worker/container/place.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"

namespace bulkhead::container {
namespace {

using base::Resolve;
using base::UniqueFd;

constexpr size_t kMaxNameBytes = 63;
constexpr size_t kMaxFileBytes = 1 << 20;
// A pod's directory may go between being made and being used, when the pod's last other container
// is removed.
constexpr int kMaxTries = 16;
// Directories of <root_dir> and <run_dir> that are not a runtime's.
constexpr absl::string_view kTaken[] = {"state", "blobs",      "ingest", "layers",
                                        "pods",  "containers", "monitor"};

bool IsRuntimeName(absl::string_view name) {
  const bool good = !name.empty() && name.size() <= kMaxNameBytes && name[0] != '-' &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                             absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
                    });
  return good && std::find(std::begin(kTaken), std::end(kTaken), name) == std::end(kTaken);
}

absl::StatusOr<std::string> PathOf(int fd) {
  char path[PATH_MAX];
  const ssize_t size = readlink(absl::StrCat("/proc/self/fd/", fd).c_str(), path, sizeof(path));
  if (size <= 0 || size == sizeof(path)) return base::ErrnoStatus("name of a directory");
  return std::string(path, static_cast<size_t>(size));
}

absl::StatusOr<UniqueFd> OpenDirectory(int parent, const std::string& name) {
  return base::OpenAt(parent, name, O_RDONLY | O_DIRECTORY, Resolve::kBeneathNoSymlinks);
}

// passable: who is not root may walk through to what is mounted below, but not list it.
absl::StatusOr<UniqueFd> MakeAndOpen(int parent, const std::string& name, bool passable) {
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(parent, name, 0700));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd directory, OpenDirectory(parent, name));
  if (passable && fchmod(directory.get(), 0711) != 0) return base::ErrnoStatus("chmod bundle");
  return directory;
}

absl::StatusOr<UniqueFd> MakeContainerDirectory(const Place& place, bool passable) {
  for (int tries = 0; tries < kMaxTries; ++tries) {
    absl::StatusOr<UniqueFd> runtime = MakeAndOpen(place.root, place.runtime_name, passable);
    if (!runtime.ok()) return runtime;
    absl::StatusOr<UniqueFd> pod = MakeAndOpen(runtime->get(), place.pod_id, passable);
    if (absl::IsNotFound(pod.status())) continue;
    if (!pod.ok()) return pod;
    if (mkdirat(pod->get(), place.container_id.c_str(), 0700) == 0) {
      return MakeAndOpen(pod->get(), place.container_id, passable);
    }
    if (errno != ENOENT) return base::ErrnoStatus("make bundle");
  }
  return absl::AbortedError("make bundle: its directory keeps vanishing");
}

absl::Status MakeMountPoint(int mounts, const std::string& name, const UniqueFd& volume) {
  struct stat st;
  if (fstat(volume.get(), &st) != 0) return base::ErrnoStatus("stat volume");
  if (S_ISDIR(st.st_mode)) return base::MakeDirectory(mounts, name, 0700);
  return base::OpenAt(mounts, name, O_WRONLY | O_CREAT | O_EXCL, Resolve::kBeneathNoSymlinks, 0600)
      .status();
}

}  // namespace

absl::StatusOr<Place> FindPlace(schema::LaunchJob::Reader job, int root, int run) {
  Place place = {.root = root,
                 .run = run,
                 .runtime_name = job.getRuntimeName(),
                 .pod_id = job.getPodId(),
                 .container_id = job.getContainerId()};
  if (!IsRuntimeName(place.runtime_name)) {
    return absl::InvalidArgumentError("runtime name: not 1 to 63 of a-z, 0-9 and -, or taken");
  }
  if (!base::IsId(place.pod_id)) return absl::InvalidArgumentError("pod id: not 64 hex digits");
  if (!base::IsId(place.container_id)) {
    return absl::InvalidArgumentError("container id: not 64 hex digits");
  }
  BULKHEAD_ASSIGN_OR_RETURN(const std::string root_path, PathOf(root));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string run_path, PathOf(run));
  place.bundle =
      absl::StrCat(root_path, "/", place.runtime_name, "/", place.pod_id, "/", place.container_id);
  place.pod_directory = absl::StrCat(run_path, "/pods/", place.pod_id);
  place.state_root = absl::StrCat(run_path, "/", place.runtime_name);
  return place;
}

absl::Status MakeBundle(const Place& place, const std::vector<UniqueFd>& volumes, bool passable) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd bundle, MakeContainerDirectory(place, passable));
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(bundle.get(), "rootfs", 0700));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd mounts, MakeAndOpen(bundle.get(), "mounts", passable));
  for (size_t i = 0; i < volumes.size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(MakeMountPoint(mounts.get(), absl::StrCat(i), volumes[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenBundle(const Place& place) {
  return base::OpenAt(AT_FDCWD, place.bundle, O_PATH | O_DIRECTORY, Resolve::kHost);
}

absl::Status WriteBundleFile(const Place& place, const std::string& name, absl::string_view text) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd bundle, OpenBundle(place));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd file,
                            base::OpenAt(bundle.get(), name, O_WRONLY | O_CREAT | O_EXCL,
                                         Resolve::kBeneathNoSymlinks, 0600));
  return base::WriteAll(file.get(), text);
}

absl::StatusOr<std::string> ReadBundleFile(const Place& place, const std::string& name) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd bundle, OpenBundle(place));
  BULKHEAD_ASSIGN_OR_RETURN(
      UniqueFd file, base::OpenAt(bundle.get(), name, O_RDONLY, Resolve::kBeneathNoSymlinks));
  return base::ReadAll(file.get(), kMaxFileBytes);
}

absl::Status RemoveBundle(const Place& place) {
  // Not mounted (EINVAL) or not there (ENOENT): as it should be.
  umount2(place.bundle.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  absl::StatusOr<UniqueFd> runtime = OpenDirectory(place.root, place.runtime_name);
  if (absl::IsNotFound(runtime.status())) return absl::OkStatus();
  if (!runtime.ok()) return runtime.status();
  absl::StatusOr<UniqueFd> pod = OpenDirectory(runtime->get(), place.pod_id);
  if (absl::IsNotFound(pod.status())) return absl::OkStatus();
  if (!pod.ok()) return pod.status();
  BULKHEAD_RETURN_IF_ERROR(base::RemoveTree(pod->get(), place.container_id));
  // These fail where other containers remain.
  if (unlinkat(runtime->get(), place.pod_id.c_str(), AT_REMOVEDIR) == 0) {
    unlinkat(place.root, place.runtime_name.c_str(), AT_REMOVEDIR);
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::container
