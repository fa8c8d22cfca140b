#include "worker/common/log_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

using base::UniqueFd;

constexpr int kMaxTries = 128;

// Unlike base::OpenAt's ways: across mounts (/var/log often is one), but through no link at all.
absl::StatusOr<UniqueFd> OpenNoLinks(const std::string& path, int flags) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    const long fd = syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof(how));
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return base::ErrnoStatus(absl::StrCat("open ", path));
}

absl::StatusOr<UniqueFd> OpenLogDirectory(const std::string& path) {
  absl::StatusOr<UniqueFd> directory = OpenNoLinks(path, O_PATH | O_DIRECTORY);
  if (!absl::IsNotFound(directory.status())) return directory;
  const size_t slash = path.rfind('/');
  BULKHEAD_ASSIGN_OR_RETURN(
      UniqueFd parent, OpenNoLinks(slash == 0 ? "/" : path.substr(0, slash), O_PATH | O_DIRECTORY));
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(parent.get(), path.substr(slash + 1), 0755));
  return OpenNoLinks(path, O_PATH | O_DIRECTORY);
}

}  // namespace

absl::StatusOr<UniqueFd> OpenLog(const std::string& path) {
  if (path.empty()) return UniqueFd();
  if (!base::IsCleanAbsolutePath(path) || path == "/") {
    return absl::InvalidArgumentError("log path: not a clean absolute path");
  }
  const size_t slash = path.rfind('/');
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd directory,
                            OpenLogDirectory(slash == 0 ? "/" : path.substr(0, slash)));
  // O_NONBLOCK: what lies there may be a FIFO, which is refused below.
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd log,
                            base::OpenAt(directory.get(), path.substr(slash + 1),
                                         O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK,
                                         base::Resolve::kBeneathNoSymlinks, 0640));
  struct stat st;
  if (fstat(log.get(), &st) != 0) return base::ErrnoStatus(absl::StrCat("stat ", path));
  if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
    return absl::FailedPreconditionError(absl::StrCat("log ", path, ": not a plain file"));
  }
  return log;
}

}  // namespace bulkhead::worker
