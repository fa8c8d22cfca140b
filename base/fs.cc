#include "base/fs.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::base {
namespace {

constexpr int kMaxTries = 128;
constexpr size_t kReadChunk = 16 << 10;

uint64_t ResolveFlags(Resolve resolve) {
  switch (resolve) {
    case Resolve::kBeneathNoSymlinks:
      return RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    case Resolve::kInRoot:
      return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    case Resolve::kHost:
      return RESOLVE_NO_MAGICLINKS;
  }
  return RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
}

bool IsDirectory(int dirfd, const std::string& name, int flags) {
  struct stat st;
  return fstatat(dirfd, name.c_str(), &st, flags) == 0 && S_ISDIR(st.st_mode);
}

}  // namespace

absl::StatusOr<UniqueFd> OpenAt(int dirfd, const std::string& path, int flags, Resolve resolve,
                                mode_t mode) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) how.mode = mode;
  how.resolve = ResolveFlags(resolve);
  for (int tries = 0; tries < kMaxTries; ++tries) {
    const long fd = syscall(SYS_openat2, dirfd, path.c_str(), &how, sizeof(how));
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    // EAGAIN: a rename or mount elsewhere ran meanwhile, so the kernel could not prove it safe.
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return ErrnoStatus(absl::StrCat("open ", path));
}

absl::StatusOr<std::string> ReadAll(int fd, size_t max) {
  std::string bytes;
  for (;;) {
    const size_t used = bytes.size();
    const size_t chunk = std::min(kReadChunk, max - used + 1);
    bytes.resize(used + chunk);
    const ssize_t got = read(fd, bytes.data() + used, chunk);
    if (got < 0 && errno != EINTR) return ErrnoStatus("read");
    bytes.resize(used + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return bytes;
    if (bytes.size() > max) {
      return absl::ResourceExhaustedError(absl::StrCat("read: longer than ", max, " bytes"));
    }
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, path, O_RDONLY, Resolve::kHost));
  absl::StatusOr<std::string> bytes = ReadAll(fd.get(), max);
  if (!bytes.ok()) return Annotate(bytes.status(), path);
  return bytes;
}

absl::StatusOr<std::string> ReadAt(int fd, off_t offset, size_t size) {
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t got =
        pread(fd, bytes.data() + done, size - done, offset + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("pread");
    if (got == 0) return absl::OutOfRangeError("pread: the file ends before");
    done += static_cast<size_t>(got);
  }
  return bytes;
}

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return ErrnoStatus("write");
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

absl::Status WriteKernelFile(int dirfd, const std::string& path, absl::string_view value) {
  // A v1 hierarchy may be a link (cpu -> cpu,cpuacct), which must stay below the directory.
  const Resolve resolve = dirfd == AT_FDCWD ? Resolve::kHost : Resolve::kInRoot;
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(dirfd, path, O_WRONLY, resolve));
  ssize_t put;
  do {
    put = write(fd.get(), value.data(), value.size());
  } while (put < 0 && errno == EINTR);
  if (put < 0) return ErrnoStatus(absl::StrCat("write ", path));
  if (static_cast<size_t>(put) != value.size()) {
    return absl::InternalError(absl::StrCat("write ", path, ": cut short"));
  }
  return absl::OkStatus();
}

absl::Status MakeDirectory(int dirfd, const std::string& name, mode_t mode) {
  if (mkdirat(dirfd, name.c_str(), mode) == 0) return absl::OkStatus();
  const int error = errno;
  if (error == EEXIST && IsDirectory(dirfd, name, AT_SYMLINK_NOFOLLOW)) return absl::OkStatus();
  return ErrnoStatus(absl::StrCat("mkdir ", name), error);
}

absl::Status MakeDirectories(const std::string& path, mode_t mode) {
  if (path.empty() || path[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat("mkdir ", path, ": not absolute"));
  }
  for (size_t end = path.find('/', 1); end <= path.size(); end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    if (mkdir(prefix.c_str(), mode) == 0) continue;
    const int error = errno;
    // Links are followed here: /var/run is one on many hosts.
    if (IsDirectory(AT_FDCWD, prefix, 0)) continue;
    return ErrnoStatus(absl::StrCat("mkdir ", prefix), error);
  }
  if (mkdir(path.c_str(), mode) == 0) return absl::OkStatus();
  const int error = errno;
  if (IsDirectory(AT_FDCWD, path, 0)) return absl::OkStatus();
  return ErrnoStatus(absl::StrCat("mkdir ", path), error);
}

}  // namespace bulkhead::base
