#include "worker/check/tree_digest.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "worker/parse/sha256.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kReadBytes = 256 << 10;
constexpr size_t kMaxDepth = 1000;
constexpr size_t kMaxXattrBytes = 64 << 10;

absl::StatusOr<uint64_t> HashContents(int fd, Sha256& hash) {
  std::string buffer(kReadBytes, '\0');
  uint64_t total = 0;
  while (true) {
    ssize_t n = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(total));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::ErrnoStatus("read");
    if (n == 0) return total;
    hash.Update(absl::string_view(buffer).substr(0, n));
    total += n;
  }
}

absl::StatusOr<std::vector<std::string>> SortedNames(int fd) {
  base::UniqueFd again(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again) return base::ErrnoStatus("open");
  DIR* directory = fdopendir(again.get());
  if (directory == nullptr) return base::ErrnoStatus("list");
  (void)again.Release();  // the stream owns it now
  absl::Cleanup close = [directory] { closedir(directory); };
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(directory)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  if (errno != 0) return base::ErrnoStatus("list");
  std::sort(names.begin(), names.end());
  return names;
}

class TreeHasher {
 public:
  absl::StatusOr<HashedContent> Run(int directory) {
    struct stat st;
    if (fstat(directory, &st) != 0) return base::ErrnoStatus("stat");
    device_ = st.st_dev;
    BULKHEAD_RETURN_IF_ERROR(AddOpen(directory, "", st));
    BULKHEAD_RETURN_IF_ERROR(AddBelow(directory, "", 0));
    return HashedContent{hash_.Finish(), bytes_};
  }

 private:
  // Each field with its length before it, so that no two lists of fields give the same bytes.
  void Field(absl::string_view text) {
    hash_.Update(absl::StrCat(text.size(), ":"));
    hash_.Update(text);
  }
  void Number(int64_t number) { Field(absl::StrCat(number)); }

  void AddStat(absl::string_view path, const struct stat& st) {
    Field(path);
    Number(st.st_mode);
    Number(st.st_uid);
    Number(st.st_gid);
    Number(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? static_cast<int64_t>(st.st_rdev) : 0);
    Number(st.st_mtim.tv_sec);
    Number(st.st_mtim.tv_nsec);
  }

  absl::Status AddXattrs(int fd) {
    std::string list(kMaxXattrBytes, '\0');
    ssize_t size = flistxattr(fd, list.data(), list.size());
    if (size < 0 && errno == ENOTSUP) size = 0;
    if (size < 0) return base::ErrnoStatus("list attributes");
    list.resize(size);
    std::vector<std::string> names = absl::StrSplit(list, '\0', absl::SkipEmpty());
    std::sort(names.begin(), names.end());
    std::string value(kMaxXattrBytes, '\0');
    for (const std::string& name : names) {
      ssize_t n = fgetxattr(fd, name.c_str(), value.data(), value.size());
      if (n < 0) return base::ErrnoStatus("read attribute");
      Field(name);
      Field(absl::string_view(value).substr(0, n));
    }
    return absl::OkStatus();
  }

  // A file or directory that is open for reading.
  absl::Status AddOpen(int fd, const std::string& path, const struct stat& st) {
    AddStat(path, st);
    BULKHEAD_RETURN_IF_ERROR(AddXattrs(fd));
    if (!S_ISREG(st.st_mode)) return absl::OkStatus();
    if (st.st_nlink > 1) {
      auto [first, is_new] = linked_.emplace(st.st_ino, path);
      Field(first->second);
      if (!is_new) return absl::OkStatus();
    }
    Number(st.st_size);
    BULKHEAD_ASSIGN_OR_RETURN(uint64_t read, HashContents(fd, hash_));
    bytes_ += read;
    Number(static_cast<int64_t>(read));
    return absl::OkStatus();
  }

  absl::Status AddLink(int parent, const std::string& name) {
    std::string target(PATH_MAX + 1, '\0');
    ssize_t n = readlinkat(parent, name.c_str(), target.data(), target.size());
    if (n < 0) return base::ErrnoStatus("read link");
    Field(absl::string_view(target).substr(0, n));
    return absl::OkStatus();
  }

  absl::Status AddEntry(int parent, const std::string& name, const std::string& path,
                        size_t depth) {
    struct stat st;
    if (fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
      return base::ErrnoStatus("stat");
    }
    if (st.st_dev != device_) return absl::FailedPreconditionError("is another mount");
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
      AddStat(path, st);
      return S_ISLNK(st.st_mode) ? AddLink(parent, name) : absl::OkStatus();
    }
    int flags = O_RDONLY | O_NOFOLLOW | (S_ISDIR(st.st_mode) ? O_DIRECTORY : O_NONBLOCK);
    BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd,
                              base::OpenAt(parent, name, flags, base::Resolve::kBeneathNoSymlinks));
    if (fstat(fd.get(), &st) != 0) return base::ErrnoStatus("stat");
    BULKHEAD_RETURN_IF_ERROR(AddOpen(fd.get(), path, st));
    return S_ISDIR(st.st_mode) ? AddBelow(fd.get(), path, depth + 1) : absl::OkStatus();
  }

  absl::Status AddBelow(int directory, const std::string& path, size_t depth) {
    if (depth > kMaxDepth) return absl::ResourceExhaustedError("over 1000 directories deep");
    BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> names, SortedNames(directory));
    Number(static_cast<int64_t>(names.size()));
    for (const std::string& name : names) {
      BULKHEAD_RETURN_IF_ERROR(AddEntry(directory, name, absl::StrCat(path, "/", name), depth));
    }
    return absl::OkStatus();
  }

  Sha256 hash_;
  uint64_t bytes_ = 0;
  dev_t device_ = 0;
  std::map<ino_t, std::string> linked_;
};

}  // namespace

absl::StatusOr<HashedContent> HashFile(int fd) {
  Sha256 hash;
  BULKHEAD_ASSIGN_OR_RETURN(uint64_t bytes, HashContents(fd, hash));
  return HashedContent{hash.Finish(), bytes};
}

absl::StatusOr<HashedContent> HashTree(int directory) { return TreeHasher().Run(directory); }

}  // namespace bulkhead::worker
