#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mount.h"
#include "base/status.h"
#include "security/enforce/steps.h"

namespace bulkhead::security {
namespace {

using base::UniqueFd;

uint64_t MountAttributes(Access access) {
  uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (access != Access::kReadWrite) attributes |= MOUNT_ATTR_RDONLY;
  if (access != Access::kReadExecute) attributes |= MOUNT_ATTR_NOEXEC;
  return attributes;
}

// Makes the place where a listed path will be mounted, below the working directory.
absl::StatusOr<UniqueFd> MakeTarget(const std::string& relative, bool is_directory) {
  for (size_t end = relative.find('/'); end != std::string::npos;
       end = relative.find('/', end + 1)) {
    BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(AT_FDCWD, relative.substr(0, end), 0755));
  }
  if (is_directory) {
    BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(AT_FDCWD, relative, 0755));
  } else {
    UniqueFd made(open(relative.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444));
    if (!made) return base::ErrnoStatus(absl::StrCat("create ", relative));
  }
  return base::OpenAt(AT_FDCWD, relative, O_PATH, base::Resolve::kBeneathNoSymlinks);
}

// The working directory is the new root; absolute paths still are the node's.
absl::Status AddPath(const Path& row, const Places& places) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string path, ExpandPath(row.path, places));
  UniqueFd source(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!source) {
    // Distributions differ in what they have; a directory to write into is ours and must be there.
    if (errno == ENOENT && row.access != Access::kReadWrite) return absl::OkStatus();
    return base::ErrnoStatus(absl::StrCat("open ", path));
  }
  struct stat st;
  if (fstat(source.get(), &st) != 0) return base::ErrnoStatus(absl::StrCat("stat ", path));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd mount, base::CloneMount(source.get(), "", false));
  BULKHEAD_RETURN_IF_ERROR(
      base::SetMountAttributes(mount.get(), false, MountAttributes(row.access), 0, MS_PRIVATE, -1));
  BULKHEAD_ASSIGN_OR_RETURN(
      UniqueFd target, MakeTarget(std::string(absl::StripPrefix(path, "/")), S_ISDIR(st.st_mode)));
  return base::Annotate(base::AttachMount(mount.get(), target.get()), path);
}

// A small tmpfs over the root, which becomes the working directory.
absl::StatusOr<UniqueFd> CoverRoot() {
  BULKHEAD_ASSIGN_OR_RETURN(
      UniqueFd tmpfs,
      base::MountDetached("tmpfs", {{"mode", "0755"}, {"size", "64k"}, {"nr_inodes", "128"}},
                          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  UniqueFd root(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return base::ErrnoStatus("open /");
  BULKHEAD_RETURN_IF_ERROR(base::AttachMount(tmpfs.get(), root.get()));
  if (fchdir(tmpfs.get()) != 0) return base::ErrnoStatus("enter the new root");
  return tmpfs;
}

absl::Status LeaveOldRoot(int new_root) {
  if (syscall(SYS_pivot_root, ".", ".") != 0) return base::ErrnoStatus("pivot_root");
  // The old root now lies on top of the new one.
  if (umount2(".", MNT_DETACH) != 0) return base::ErrnoStatus("detach the node's root");
  if (chdir("/") != 0) return base::ErrnoStatus("chdir /");
  return base::SetMountAttributes(new_root, false, MOUNT_ATTR_RDONLY, 0, 0, -1);
}

}  // namespace

absl::StatusOr<std::string> ExpandPath(const char* path, const Places& places) {
  absl::string_view rest = path;
  const bool root_dir = absl::ConsumePrefix(&rest, "{root_dir}");
  const bool run_dir = !root_dir && absl::ConsumePrefix(&rest, "{run_dir}");
  if (!root_dir && !run_dir) return std::string(path);
  const std::string& place = root_dir ? places.root_dir : places.run_dir;
  if (place.empty()) return absl::FailedPreconditionError(absl::StrCat(path, ": place not given"));
  return absl::StrCat(place, rest);
}

// Those that need no new process; pid and user came with it (spawn.h). Made by the process itself,
// even where it was started in new ones already: so it can never narrow a namespace that others
// live in.
absl::Status MakeNamespaces(const Profile& profile, const Places&) {
  const Namespaces& ns = profile.namespaces;
  int flags = 0;
  if (ns.mount == Ns::kNew) flags |= CLONE_NEWNS;
  if (ns.net == Ns::kNew) flags |= CLONE_NEWNET;
  if (ns.ipc == Ns::kNew) flags |= CLONE_NEWIPC;
  if (ns.uts == Ns::kNew) flags |= CLONE_NEWUTS;
  if (ns.cgroup == Ns::kNew) flags |= CLONE_NEWCGROUP;
  if (flags != 0 && unshare(flags) != 0) return base::ErrnoStatus("unshare");
  return absl::OkStatus();
}

absl::Status NarrowView(const Profile& profile, const Places& places) {
  const bool private_mounts = profile.namespaces.mount == Ns::kNew;
  if (profile.view == View::kHost) {
    // Mounts made here stay here; those of the node still arrive.
    if (private_mounts && mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
      return base::ErrnoStatus("make mounts slaves");
    }
    return absl::OkStatus();
  }
  if (!private_mounts) return absl::InternalError("a narrow view needs a mount namespace");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return base::ErrnoStatus("make mounts private");
  }
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd root, CoverRoot());
  for (const Path& row : profile.paths) BULKHEAD_RETURN_IF_ERROR(AddPath(row, places));
  return LeaveOldRoot(root.get());
}

}  // namespace bulkhead::security
