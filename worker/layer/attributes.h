#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/layer/entry_name.h"

struct archive_entry;

namespace bulkhead::worker {

struct Xattr {
  std::string name;
  std::string value;
};

// What an entry says of its inode beside the contents, checked.
struct Attributes {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0755;                                    // permission bits, set-id and sticky bits
  timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};  // access, modification
  std::vector<Xattr> xattrs;
  uint64_t dropped_xattrs = 0;  // not in the allow-list
};

// INVALID_ARGUMENT: ids outside the map (a 64-bit id must never be cut to 0), or file capabilities
// of an unknown form. Kept xattrs: user.* but overlayfs's own user.overlay.*, and
// security.capability.
absl::StatusOr<Attributes> ReadAttributes(archive_entry* entry);

// By fd, in the one order that works: owner (clears set-id bits and capabilities), mode, xattrs,
// times.
absl::Status ApplyByFd(int fd, const Attributes& attributes);
// For what has no usable fd: a symlink's owner and times.
absl::Status ApplyToSymlink(int parent, const std::string& leaf, const Attributes& attributes);

}  // namespace bulkhead::worker
