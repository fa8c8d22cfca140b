#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

// Thin wrappers of the fd-based mount API (Linux 5.2; mount_setattr 5.12). Each needs CAP_SYS_ADMIN in the user
// namespace that owns the caller's mount namespace.
namespace bulkhead::base {

struct FsOption {
  std::string key;
  std::string value;  // empty: a flag
  int fd = -1;        // not negative: FSCONFIG_SET_FD
};

// fsopen, fsconfig each option, fsmount. attributes: MOUNT_ATTR_*. Returns the detached mount.
// The error carries the kernel's own explanation from the context's log where it has one.
absl::StatusOr<UniqueFd> MountDetached(const char* type, const std::vector<FsOption>& options,
                                       unsigned attributes);
// open_tree(OPEN_TREE_CLONE) of path below dirfd (empty path: dirfd itself).
absl::StatusOr<UniqueFd> CloneMount(int dirfd, const std::string& path, bool recursive);
// mount_setattr on a detached mount. set, clear: MOUNT_ATTR_*; propagation: MS_* or 0; userns: an fd for
// MOUNT_ATTR_IDMAP or -1.
absl::Status SetMountAttributes(int mount, bool recursive, uint64_t set, uint64_t clear,
                                uint64_t propagation, int userns);
// move_mount of a detached mount onto an already opened directory or file.
absl::Status AttachMount(int mount, int target);

}  // namespace bulkhead::base
