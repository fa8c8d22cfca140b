#include "worker/copyup/copy_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::copyup {
namespace {

using base::Resolve;
using base::UniqueFd;

constexpr int kMaxDepth = 200;
constexpr size_t kMaxAttributeBytes = 64 << 10;
constexpr size_t kChunk = 1 << 20;

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

absl::Status Take(uint64_t amount, uint64_t* left) {
  if (amount > *left) return absl::ResourceExhaustedError("the image's directory is too big");
  *left -= amount;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> NamesIn(int directory) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd copy, base::Duplicate(directory));
  std::unique_ptr<DIR, CloseDir> dir(fdopendir(copy.get()));
  if (dir == nullptr) return base::ErrnoStatus("list");
  [[maybe_unused]] const int owned_by_dir = copy.Release();
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(dir.get());
    if (entry == nullptr && errno != 0) return base::ErrnoStatus("list");
    if (entry == nullptr) return names;
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
}

// Labels and overlayfs's own marks mean something only where they are.
bool IsCopied(absl::string_view attribute) {
  if (attribute == "security.capability") return true;
  return absl::StartsWith(attribute, "user.") && !absl::StartsWith(attribute, "user.overlay.");
}

absl::Status CopyAttributes(int from, int to) {
  std::string names(kMaxAttributeBytes, '\0');
  const ssize_t size = flistxattr(from, names.data(), names.size());
  if (size < 0) return errno == ENOTSUP ? absl::OkStatus() : base::ErrnoStatus("list attributes");
  names.resize(static_cast<size_t>(size));
  std::string value(kMaxAttributeBytes, '\0');
  for (absl::string_view view : absl::StrSplit(names, '\0', absl::SkipEmpty())) {
    if (!IsCopied(view)) continue;
    const std::string name(view);
    const ssize_t bytes = fgetxattr(from, name.c_str(), value.data(), value.size());
    if (bytes < 0) return base::ErrnoStatus("read an attribute");
    if (fsetxattr(to, name.c_str(), value.data(), static_cast<size_t>(bytes), 0) != 0 &&
        errno != ENOTSUP) {
      return base::ErrnoStatus("write an attribute");
    }
  }
  return absl::OkStatus();
}

// Owner first: it takes set-user-ID bits and file capabilities away.
absl::Status CopyMetadata(const struct stat& st, int from, int to) {
  if (fchown(to, st.st_uid, st.st_gid) != 0) return base::ErrnoStatus("chown");
  if (fchmod(to, st.st_mode & 07777) != 0) return base::ErrnoStatus("chmod");
  BULKHEAD_RETURN_IF_ERROR(CopyAttributes(from, to));
  const timespec times[] = {st.st_atim, st.st_mtim};
  return futimens(to, times) == 0 ? absl::OkStatus() : base::ErrnoStatus("set times");
}

absl::Status CopyExtent(int from, int to, off_t begin, off_t end) {
  while (begin < end) {
    const size_t wanted = std::min<size_t>(kChunk, static_cast<size_t>(end - begin));
    off_t in = begin, out = begin;
    ssize_t got = copy_file_range(from, &in, to, &out, wanted, 0);
    if (got < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP)) {
      static char buffer[kChunk];
      got = pread(from, buffer, wanted, begin);
      if (got > 0) got = pwrite(to, buffer, static_cast<size_t>(got), begin);
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::ErrnoStatus("copy");
    if (got == 0) return absl::OkStatus();
    begin += got;
  }
  return absl::OkStatus();
}

absl::Status CopyData(int from, int to, off_t size, Budget* budget) {
  if (ftruncate(to, size) != 0) return base::ErrnoStatus("set the length");
  for (off_t at = 0; at < size;) {
    const off_t begin = lseek(from, at, SEEK_DATA);
    if (begin < 0) return errno == ENXIO ? absl::OkStatus() : base::ErrnoStatus("find data");
    const off_t end = std::min(size, lseek(from, begin, SEEK_HOLE));
    if (end <= begin) return absl::OkStatus();
    BULKHEAD_RETURN_IF_ERROR(Take(static_cast<uint64_t>(end - begin), &budget->bytes));
    BULKHEAD_RETURN_IF_ERROR(CopyExtent(from, to, begin, end));
    at = end;
  }
  return absl::OkStatus();
}

// One directory's entry that is being copied.
struct Entry {
  int from;
  int to;
  const std::string& name;
  Budget* budget;
};

absl::Status CopyFile(const Entry& entry) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd from,
                            base::OpenAt(entry.from, entry.name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW,
                                         Resolve::kBeneathNoSymlinks));
  struct stat st;
  if (fstat(from.get(), &st) != 0) return base::ErrnoStatus("stat");
  if (!S_ISREG(st.st_mode)) return absl::FailedPreconditionError("changed while it was copied");
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd to,
                            base::OpenAt(entry.to, entry.name, O_WRONLY | O_CREAT | O_EXCL,
                                         Resolve::kBeneathNoSymlinks, 0600));
  BULKHEAD_RETURN_IF_ERROR(CopyData(from.get(), to.get(), st.st_size, entry.budget));
  return CopyMetadata(st, from.get(), to.get());
}

absl::Status CopyLink(const Entry& entry, const struct stat& st) {
  char target[PATH_MAX];
  const ssize_t size = readlinkat(entry.from, entry.name.c_str(), target, sizeof(target) - 1);
  if (size <= 0) return base::ErrnoStatus("read a link");
  target[size] = '\0';
  if (symlinkat(target, entry.to, entry.name.c_str()) != 0 ||
      fchownat(entry.to, entry.name.c_str(), st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return base::ErrnoStatus("make a link");
  }
  const timespec times[] = {st.st_atim, st.st_mtim};
  utimensat(entry.to, entry.name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  return absl::OkStatus();
}

absl::Status CopyContents(int from, int to, int depth, Budget* budget);

absl::Status CopySubdirectory(const Entry& entry, int depth) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY;
  absl::StatusOr<UniqueFd> from =
      base::OpenAt(entry.from, entry.name, kFlags, Resolve::kBeneathNoSymlinks);
  if (!from.ok()) return from.status();
  if (mkdirat(entry.to, entry.name.c_str(), 0700) != 0) return base::ErrnoStatus("mkdir");
  BULKHEAD_ASSIGN_OR_RETURN(
      UniqueFd to, base::OpenAt(entry.to, entry.name, kFlags, Resolve::kBeneathNoSymlinks));
  return CopyContents(from->get(), to.get(), depth + 1, entry.budget);
}

absl::Status CopyEntry(const Entry& entry, int depth) {
  BULKHEAD_RETURN_IF_ERROR(Take(1, &entry.budget->entries));
  struct stat st;
  if (fstatat(entry.from, entry.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    return base::ErrnoStatus("stat");
  }
  if (S_ISDIR(st.st_mode)) return CopySubdirectory(entry, depth);
  if (S_ISREG(st.st_mode)) return CopyFile(entry);
  if (S_ISLNK(st.st_mode)) return CopyLink(entry, st);
  return absl::OkStatus();
}

// The directory's own metadata last: making entries changes its times.
absl::Status CopyContents(int from, int to, int depth, Budget* budget) {
  if (depth > kMaxDepth) return absl::ResourceExhaustedError("the image's directory is too deep");
  struct stat st;
  if (fstat(from, &st) != 0) return base::ErrnoStatus("stat");
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(from));
  for (const std::string& name : names) {
    BULKHEAD_RETURN_IF_ERROR(CopyEntry({from, to, name, budget}, depth));
  }
  return CopyMetadata(st, from, to);
}

}  // namespace

absl::Status CopyDirectory(int rootfs, const std::string& path, int target, Budget* budget) {
  absl::StatusOr<UniqueFd> from = base::OpenAt(rootfs, path, O_PATH, Resolve::kInRoot);
  if (absl::IsNotFound(from.status())) return absl::OkStatus();
  if (!from.ok()) return absl::FailedPreconditionError(from.status().message());
  from = base::OpenAt(rootfs, path, O_RDONLY | O_DIRECTORY, Resolve::kInRoot);
  if (!from.ok()) return absl::FailedPreconditionError("is no directory in the image");
  BULKHEAD_ASSIGN_OR_RETURN(
      UniqueFd to, base::OpenAt(target, ".", O_RDONLY | O_DIRECTORY, Resolve::kBeneathNoSymlinks));
  return CopyContents(from->get(), to.get(), 0, budget);
}

}  // namespace bulkhead::copyup
