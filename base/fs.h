#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace bulkhead::base {

// How a path is resolved below a directory fd (B25). Magic links are never followed.
enum class Resolve {
  kBeneathNoSymlinks,  // our own state: no link, no escape, no other mount
  kInRoot,             // content of a rootfs: links stay inside it
  kHost,               // a host path that an administrator or kubelet named: links as the host has them
};

// openat2(2) with O_CLOEXEC; retries EAGAIN. mode is for O_CREAT. Errors name the path.
absl::StatusOr<UniqueFd> OpenAt(int dirfd, const std::string& path, int flags, Resolve resolve,
                                mode_t mode = 0);

// Reads a whole regular file or pipe; over max bytes is RESOURCE_EXHAUSTED, never a silent cut.
absl::StatusOr<std::string> ReadAll(int fd, size_t max);
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max);
// Reads exactly size bytes at offset.
absl::StatusOr<std::string> ReadAt(int fd, off_t offset, size_t size);
// Writes everything, retrying EINTR and short writes.
absl::Status WriteAll(int fd, absl::string_view bytes);
// Writes a small kernel file (cgroupfs, procfs) with one write(2).
absl::Status WriteKernelFile(int dirfd, const std::string& path, absl::string_view value);

// mkdirat; an existing directory is success.
absl::Status MakeDirectory(int dirfd, const std::string& name, mode_t mode);
// Each missing component of a clean absolute path.
absl::Status MakeDirectories(const std::string& path, mode_t mode);
// Removes a tree below dirfd without following a link or crossing a mount (V15). Missing is success.
absl::Status RemoveTree(int dirfd, const std::string& name);

}  // namespace bulkhead::base
