#include "base/mount.h"

#include <fcntl.h>
#include <sys/mount.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::base {
namespace {

// What the kernel has to say about the last failure: lines such as "e overlay: ...", one a read(2).
std::string KernelLog(int context) {
  std::string log;
  char line[512];
  for (;;) {
    ssize_t got = read(context, line, sizeof(line));
    if (got <= 0) return log;
    if (line[got - 1] == '\n') --got;
    absl::StrAppend(&log, log.empty() ? "" : "; ",
                    absl::string_view(line, static_cast<size_t>(got)));
  }
}

absl::Status ContextError(int context, absl::string_view what) {
  const absl::Status status = ErrnoStatus(what);
  const std::string log = KernelLog(context);
  if (log.empty()) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(), " (", log, ")"));
}

absl::Status Configure(int context, const FsOption& option) {
  int result;
  if (option.fd >= 0) {
    result = fsconfig(context, FSCONFIG_SET_FD, option.key.c_str(), nullptr, option.fd);
  } else if (option.value.empty()) {
    result = fsconfig(context, FSCONFIG_SET_FLAG, option.key.c_str(), nullptr, 0);
  } else {
    result = fsconfig(context, FSCONFIG_SET_STRING, option.key.c_str(), option.value.c_str(), 0);
  }
  if (result == 0) return absl::OkStatus();
  return ContextError(context, absl::StrCat("mount option ", option.key));
}

}  // namespace

absl::StatusOr<UniqueFd> MountDetached(const char* type, const std::vector<FsOption>& options,
                                       unsigned attributes) {
  UniqueFd context(fsopen(type, FSOPEN_CLOEXEC));
  if (!context) return ErrnoStatus(absl::StrCat("fsopen ", type));
  for (const FsOption& option : options) {
    BULKHEAD_RETURN_IF_ERROR(Configure(context.get(), option));
  }
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return ContextError(context.get(), absl::StrCat("create ", type));
  }
  UniqueFd mount(fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
  if (!mount) return ContextError(context.get(), absl::StrCat("fsmount ", type));
  return mount;
}

absl::StatusOr<UniqueFd> CloneMount(int dirfd, const std::string& path, bool recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
  if (recursive) flags |= AT_RECURSIVE;
  UniqueFd mount(open_tree(dirfd, path.c_str(), flags));
  if (!mount) return ErrnoStatus(absl::StrCat("open_tree ", path));
  return mount;
}

absl::Status SetMountAttributes(int mount, bool recursive, uint64_t set, uint64_t clear,
                                uint64_t propagation, int userns) {
  mount_attr attributes = {};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  attributes.propagation = propagation;
  if (userns >= 0) {
    attributes.attr_set |= MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<uint64_t>(userns);
  }
  const unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  if (mount_setattr(mount, "", flags, &attributes, sizeof(attributes)) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus("mount_setattr");
}

absl::Status AttachMount(int mount, int target) {
  constexpr unsigned kFlags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (move_mount(mount, "", target, "", kFlags) == 0) return absl::OkStatus();
  return ErrnoStatus("move_mount");
}

}  // namespace bulkhead::base
