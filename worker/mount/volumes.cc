#include "worker/mount/volumes.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <optional>
#include <string>

#include "base/fs.h"
#include "base/mount.h"
#include "base/status.h"

namespace bulkhead::mount {
namespace {

using base::UniqueFd;
using security::GrantedPath;
using Volume = schema::MountJob::Volume;

// Of the request's options, MOUNT_ATTR_* that the kernel takes in one go.
constexpr uint64_t kAccessTimes = MOUNT_ATTR__ATIME;

// Of several ceilings the narrowest.
absl::StatusOr<GrantedPath> AskPolicies(schema::MountJob::Reader job, Volume::Reader volume,
                                        const security::PodPolicies& policies) {
  std::optional<GrantedPath> narrowest;
  bool read_only = false;
  for (const security::PodPolicy* policy : policies.For(job.getPodNamespace().cStr())) {
    BULKHEAD_ASSIGN_OR_RETURN(
        GrantedPath granted,
        security::CheckHostPath(*policy, job.getPodUid().cStr(), "config.mounts.host_path",
                                volume.getHostPath().cStr(), volume.getReadOnly()));
    read_only |= granted.read_only;
    if (!narrowest || granted.root.size() > narrowest->root.size()) narrowest = std::move(granted);
  }
  narrowest->read_only = read_only;
  return *std::move(narrowest);
}

absl::StatusOr<UniqueFd> OpenAnywhere(Volume::Reader volume) {
  const std::string path = volume.getHostPath().cStr();
  absl::StatusOr<UniqueFd> source = base::OpenAt(AT_FDCWD, path, O_PATH, base::Resolve::kHost);
  if (!absl::IsNotFound(source.status()) || !volume.getCreateDirectory()) return source;
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectories(path, 0755));
  return base::OpenAt(AT_FDCWD, path, O_PATH, base::Resolve::kHost);
}

// A pod may write below what it was granted, and so make links there: none may lead out of it.
absl::StatusOr<UniqueFd> OpenVolume(Volume::Reader volume, const GrantedPath& granted) {
  if (granted.root == "/" && !granted.read_only) return OpenAnywhere(volume);
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd root,
                            base::OpenAt(AT_FDCWD, granted.root, O_PATH, base::Resolve::kHost));
  if (granted.below.empty()) return root;
  return base::OpenAt(root.get(), granted.below, O_PATH, base::Resolve::kInRoot);
}

absl::StatusOr<UniqueFd> CloneVolume(Volume::Reader volume, int source, const GrantedPath& granted,
                                     const PodIds& ids) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd clone, base::CloneMount(source, "", volume.getRecursive()));
  BULKHEAD_RETURN_IF_ERROR(SetOptions(clone.get(), volume.getOptions()));
  if (volume.getIdMapped()) {
    if (!ids.user) return absl::InvalidArgumentError("the pod has no user namespace");
    BULKHEAD_RETURN_IF_ERROR(base::Annotate(
        base::SetMountAttributes(clone.get(), volume.getRecursive(), 0, 0, 0, ids.user.get()),
        "map its owners"));
  }
  if (volume.getReadOnly()) {
    const bool all_below = volume.getRecursiveReadOnly() || granted.read_only;
    BULKHEAD_RETURN_IF_ERROR(
        base::SetMountAttributes(clone.get(), all_below, MOUNT_ATTR_RDONLY, 0, 0, -1));
  }
  return clone;
}

}  // namespace

absl::Status SetOptions(int mount, uint64_t options) {
  if (options == 0) return absl::OkStatus();
  const uint64_t clear = (options & kAccessTimes) != 0 ? kAccessTimes : 0;
  return base::SetMountAttributes(mount, false, options, clear, 0, -1);
}

absl::Status CloneVolumes(schema::MountJob::Reader job, const security::PodPolicies& policies,
                          const PodIds& ids, schema::MountResult::Builder result,
                          std::vector<UniqueFd>* volumes) {
  auto is_directory = result.initVolumeIsDirectory(job.getVolumes().size());
  for (unsigned i = 0; i < job.getVolumes().size(); ++i) {
    const Volume::Reader volume = job.getVolumes()[i];
    BULKHEAD_ASSIGN_OR_RETURN(const GrantedPath granted, AskPolicies(job, volume, policies));
    BULKHEAD_ASSIGN_OR_RETURN(UniqueFd source, OpenVolume(volume, granted));
    struct stat st;
    if (fstat(source.get(), &st) != 0) return base::ErrnoStatus("stat volume");
    is_directory.set(i, S_ISDIR(st.st_mode));
    absl::StatusOr<UniqueFd> clone = CloneVolume(volume, source.get(), granted, ids);
    if (!clone.ok()) return base::Annotate(clone.status(), volume.getHostPath().cStr());
    volumes->push_back(*std::move(clone));
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::mount
