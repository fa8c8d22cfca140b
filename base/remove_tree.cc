#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::base {
namespace {

// A container may nest directories as deep as its disk allows. Each open level costs a descriptor,
// so what lies deeper is renamed up into the top directory first: constant memory and descriptors
// for any tree.
constexpr int kMaxDepth = 24;

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};
using DirPtr = std::unique_ptr<DIR, CloseDir>;

struct Walk {
  int top = -1;       // the tree's top directory
  uint64_t moved = 0;  // names given to directories that were moved up
};

bool IsDots(const char* name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

// Runs op, and once more after giving ourselves write access, where the directory is ours but
// read-only.
template <typename Op>
int WithWriteAccess(int dirfd, Op op) {
  const int result = op();
  if (result == 0 || errno != EACCES) return result;
  if (fchmod(dirfd, 0700) != 0) {
    errno = EACCES;
    return result;
  }
  return op();
}

absl::Status RemoveEntry(int dirfd, const char* name, int flags) {
  const int result = WithWriteAccess(dirfd, [&] { return unlinkat(dirfd, name, flags); });
  if (result == 0 || errno == ENOENT) return absl::OkStatus();
  return ErrnoStatus(absl::StrCat("remove ", name));
}

absl::Status MoveUp(Walk& walk, int dirfd, const char* name) {
  for (;;) {
    const std::string target = absl::StrCat(".bulkhead-removed-", walk.moved++);
    const int result = WithWriteAccess(
        dirfd, [&] { return renameat(dirfd, name, walk.top, target.c_str()); });
    if (result == 0 || errno == ENOENT) return absl::OkStatus();
    // The name is taken by the tree's own content.
    if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) {
      return ErrnoStatus(absl::StrCat("move up ", name));
    }
  }
}

absl::StatusOr<bool> IsDirectoryEntry(int dirfd, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat st;
  if (fstatat(dirfd, entry.d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) return S_ISDIR(st.st_mode);
  if (errno == ENOENT) return false;
  return ErrnoStatus(absl::StrCat("stat ", entry.d_name));
}

absl::Status RemoveDirectory(Walk& walk, int parent, const char* name, int depth);

// One pass over the entries; the count of those it met.
absl::StatusOr<size_t> RemoveEntries(Walk& walk, DIR* dir, int depth) {
  const int fd = dirfd(dir);
  size_t met = 0;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(dir);
    if (entry == nullptr && errno != 0) return ErrnoStatus("read directory");
    if (entry == nullptr) return met;
    if (IsDots(entry->d_name)) continue;
    ++met;
    BULKHEAD_ASSIGN_OR_RETURN(bool is_directory, IsDirectoryEntry(fd, *entry));
    if (!is_directory) {
      BULKHEAD_RETURN_IF_ERROR(RemoveEntry(fd, entry->d_name, 0));
    } else if (depth < kMaxDepth) {
      BULKHEAD_RETURN_IF_ERROR(RemoveDirectory(walk, fd, entry->d_name, depth + 1));
    } else {
      BULKHEAD_RETURN_IF_ERROR(MoveUp(walk, fd, entry->d_name));
    }
  }
}

absl::Status RemoveDirectory(Walk& walk, int parent, const char* name, int depth) {
  // Refuses a link that took the directory's place meanwhile, and a mount point.
  absl::StatusOr<UniqueFd> fd =
      OpenAt(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::kBeneathNoSymlinks);
  if (absl::IsNotFound(fd.status())) return absl::OkStatus();
  if (!fd.ok()) return fd.status();
  if (depth == 0) walk.top = fd->get();
  DirPtr dir(fdopendir(fd->get()));
  if (dir == nullptr) return ErrnoStatus(absl::StrCat("read directory ", name));
  [[maybe_unused]] const int owned_by_dir = fd->Release();
  // Again until a pass meets nothing: one that removes may skip entries, and the top gets new ones.
  for (;;) {
    BULKHEAD_ASSIGN_OR_RETURN(size_t met, RemoveEntries(walk, dir.get(), depth));
    if (met == 0) break;
    rewinddir(dir.get());
  }
  return RemoveEntry(parent, name, AT_REMOVEDIR);
}

}  // namespace

absl::Status RemoveTree(int dirfd, const std::string& name) {
  const size_t slash = name.rfind('/');
  if (slash != std::string::npos) {
    absl::StatusOr<UniqueFd> parent = OpenAt(dirfd, name.substr(0, slash), O_PATH | O_DIRECTORY,
                                             Resolve::kBeneathNoSymlinks);
    if (absl::IsNotFound(parent.status())) return absl::OkStatus();
    if (!parent.ok()) return parent.status();
    return RemoveTree(parent->get(), name.substr(slash + 1));
  }
  if (name.empty() || IsDots(name.c_str())) {
    return absl::InvalidArgumentError("remove: not the name of an entry");
  }
  struct stat st;
  if (fstatat(dirfd, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(absl::StrCat("stat ", name));
  }
  if (!S_ISDIR(st.st_mode)) return RemoveEntry(dirfd, name.c_str(), 0);
  Walk walk;
  return RemoveDirectory(walk, dirfd, name.c_str(), 0);
}

}  // namespace bulkhead::base
