#include "tools/up/directories.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "base/fs.h"
#include "base/status.h"
#include "security/profile.h"

namespace bulkhead::tools {
namespace {

struct Directory {
  const char* name;  // below the root or run directory; empty: itself
  uid_t owner;       // also the group
  mode_t mode;
};

// The root directory lets others pass, not look: the layers' and containers' owners go through it.
constexpr Directory kRootDirectories[] = {
    {"", 0, 0711},
    {"audit", security::kAuditorUid, 0700},
    {"state", security::kBrokerUid, 0700},
    {"blobs", security::kBrokerUid, 0700},
    {"blobs/sha256", security::kBrokerUid, 0700},
    {"ingest", security::kBrokerUid, 0700},
    {"layers", security::kBrokerUid, 0700},
    {"containers", 0, 0700},
};

constexpr Directory kRunDirectories[] = {
    {"", 0, 0755},
    {"pods", 0, 0711},
    {"monitor", security::kBrokerUid, 0700},
};

absl::Status CheckExisting(int fd, const std::string& path, const Directory& want) {
  struct stat st;
  if (fstat(fd, &st) != 0) return base::ErrnoStatus(absl::StrCat("stat ", path));
  if (st.st_uid != want.owner || st.st_gid != want.owner) {
    return absl::FailedPreconditionError(absl::StrFormat("%s: belongs to %d:%d instead of %d:%d",
                                                         path, st.st_uid, st.st_gid, want.owner,
                                                         want.owner));
  }
  mode_t mode = st.st_mode & 07777;
  if ((mode & ~want.mode) != 0) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: has mode %04o, more than %04o", path, mode, want.mode));
  }
  return absl::OkStatus();
}

// A new directory is closed to all until it has its owner.
absl::Status Make(int parent, const std::string& name, const std::string& path,
                  const Directory& want) {
  bool made = mkdirat(parent, name.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return base::ErrnoStatus(absl::StrCat("mkdir ", path));
  base::UniqueFd fd(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return base::ErrnoStatus(absl::StrCat("open ", path));
  if (!made) return CheckExisting(fd.get(), path, want);
  if (fchown(fd.get(), want.owner, want.owner) != 0 || fchmod(fd.get(), want.mode) != 0) {
    return base::ErrnoStatus(absl::StrCat("set owner of ", path));
  }
  return absl::OkStatus();
}

// The top directory may be reached through links, as the host has it; what is below may not.
absl::Status PrepareTree(const std::string& top, absl::Span<const Directory> wanted) {
  size_t slash = top.rfind('/');
  std::string parent_path = slash == 0 ? "/" : top.substr(0, slash);
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectories(parent_path, 0755));
  BULKHEAD_ASSIGN_OR_RETURN(
      base::UniqueFd parent,
      base::OpenAt(AT_FDCWD, parent_path, O_PATH | O_DIRECTORY, base::Resolve::kHost));
  BULKHEAD_RETURN_IF_ERROR(Make(parent.get(), top.substr(slash + 1), top, wanted[0]));
  BULKHEAD_ASSIGN_OR_RETURN(
      base::UniqueFd fd, base::OpenAt(AT_FDCWD, top, O_PATH | O_DIRECTORY, base::Resolve::kHost));
  for (const Directory& directory : wanted.subspan(1)) {
    std::string path = absl::StrCat(top, "/", directory.name);
    BULKHEAD_RETURN_IF_ERROR(Make(fd.get(), directory.name, path, directory));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status PrepareDirectories(const Settings& settings) {
  // What each runtime itself keeps of its containers.
  std::vector<Directory> run(std::begin(kRunDirectories), std::end(kRunDirectories));
  for (const auto& [name, runtime] : settings.runtimes) {
    run.push_back({name.c_str(), 0, 0700});
  }
  BULKHEAD_RETURN_IF_ERROR(PrepareTree(settings.root_dir, kRootDirectories));
  return PrepareTree(settings.run_dir, run);
}

absl::StatusOr<base::UniqueFd> LockDirectory(const std::string& directory) {
  std::string path = absl::StrCat(directory, "/up.lock");
  base::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return base::ErrnoStatus(absl::StrCat("open ", path));
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK) return base::ErrnoStatus(absl::StrCat("lock ", path));
  return absl::FailedPreconditionError(
      absl::StrCat(directory, ": another bulkhead up is at work here"));
}

}  // namespace bulkhead::tools
