#include "worker/lxc/mount_points.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::lxc {
namespace {

using base::Resolve;
using base::UniqueFd;

absl::StatusOr<std::string> PathOf(int fd) {
  char path[PATH_MAX];
  const ssize_t size = readlink(absl::StrCat("/proc/self/fd/", fd).c_str(), path, sizeof(path));
  if (size <= 0 || size == sizeof(path)) return base::ErrnoStatus("name of a mount point");
  return std::string(path, static_cast<size_t>(size));
}

bool IsDirectory(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

std::string Join(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : absl::StrCat(parent, "/", name);
}

}  // namespace

// path: relative to the container's root, without links but perhaps in its last component. base:
// what the answer's own path is to be read from.
absl::StatusOr<UniqueFd> RootfsMountPoints::Open(const std::string& path, std::string* base) const {
  const Mounted* volume = nullptr;
  for (const Mounted& one : mounted_) {
    if (absl::StartsWith(path, absl::StrCat(one.path, "/")) || path == one.path) volume = &one;
  }
  if (volume == nullptr) {
    base->clear();
    return base::OpenAt(root_.get(), path.empty() ? "." : path, O_PATH, Resolve::kInRoot);
  }
  *base = volume->path;
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd root,
                            base::OpenAt(AT_FDCWD, volume->source, O_PATH, Resolve::kHost));
  if (path == volume->path) return root;
  return base::OpenAt(root.get(), path.substr(volume->path.size() + 1), O_PATH,
                      Resolve::kBeneathNoSymlinks);
}

absl::Status RootfsMountPoints::Create(const std::string& parent, const std::string& name,
                                       bool directory) const {
  std::string base;
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd above, Open(parent, &base));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string path, PathOf(above.get()));
  BULKHEAD_ASSIGN_OR_RETURN(
      UniqueFd at, base::OpenAt(above.get(), ".", O_RDONLY | O_DIRECTORY, Resolve::kInRoot));
  // As the container's root, who may not own anything above.
  setfsgid(root_id_);
  setfsuid(root_id_);
  absl::Cleanup back = [] {
    setfsuid(0);
    setfsgid(0);
  };
  if (directory) {
    if (mkdirat(at.get(), name.c_str(), 0755) == 0) return absl::OkStatus();
  } else {
    const UniqueFd file(
        openat(at.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (file) return absl::OkStatus();
  }
  return base::ErrnoStatus(absl::StrCat("make mount point ", Join(parent, name)));
}

absl::StatusOr<std::string> RootfsMountPoints::Step(const std::string& parent,
                                                    const std::string& name, bool directory) {
  const std::string path = Join(parent, name);
  std::string base;
  absl::StatusOr<UniqueFd> fd = Open(path, &base);
  if (absl::IsNotFound(fd.status())) {
    BULKHEAD_ASSIGN_OR_RETURN(const std::string target, LinkAt(parent, name));
    if (!target.empty()) return WalkFrom(target[0] == '/' ? "" : parent, target, directory);
    BULKHEAD_RETURN_IF_ERROR(Create(parent, name, directory));
    return path;
  }
  if (!fd.ok()) return fd.status();
  if (!base.empty()) return path;  // in a volume there are no links
  BULKHEAD_ASSIGN_OR_RETURN(const std::string root, PathOf(root_.get()));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string full, PathOf(fd->get()));
  if (full == root) return "";
  if (absl::StartsWith(full, root + "/")) return full.substr(root.size() + 1);
  return absl::FailedPreconditionError(absl::StrCat("mount point ", path, ": leads elsewhere"));
}

// A link to what is not there yet is made good by making that.
absl::StatusOr<std::string> RootfsMountPoints::LinkAt(const std::string& parent,
                                                      const std::string& name) const {
  std::string base;
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd above, Open(parent, &base));
  char target[PATH_MAX];
  const ssize_t size = readlinkat(above.get(), name.c_str(), target, sizeof(target));
  if (size <= 0) return "";
  if (base.empty() && size < PATH_MAX) return std::string(target, static_cast<size_t>(size));
  return absl::FailedPreconditionError(absl::StrCat("mount point ", name, ": a link in a volume"));
}

absl::StatusOr<std::string> RootfsMountPoints::WalkFrom(std::string at, const std::string& path,
                                                        bool directory) {
  constexpr int kMaxLinks = 40;  // as the kernel has it
  if (++links_ > kMaxLinks) {
    return absl::FailedPreconditionError(absl::StrCat("mount point ", path, ": too many links"));
  }
  const std::vector<std::string> names = absl::StrSplit(path, '/', absl::SkipEmpty());
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == ".") continue;
    if (names[i] == "..") {
      at = at.find('/') == std::string::npos ? "" : at.substr(0, at.rfind('/'));
      continue;
    }
    BULKHEAD_ASSIGN_OR_RETURN(at, Step(at, names[i], directory || i + 1 < names.size()));
  }
  return at;
}

absl::StatusOr<std::string> RootfsMountPoints::Walk(const std::string& destination,
                                                    bool directory) {
  links_ = 0;
  BULKHEAD_ASSIGN_OR_RETURN(const std::string at, WalkFrom("", destination, directory));
  if (!at.empty()) return at;
  return absl::FailedPreconditionError(
      absl::StrCat("mount point ", destination, ": is the root of the container"));
}

absl::StatusOr<std::string> RootfsMountPoints::Make(const std::string& destination,
                                                    const std::string& source) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd fd, base::OpenAt(AT_FDCWD, source, O_PATH, Resolve::kHost));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string path, Walk(destination, IsDirectory(fd.get())));
  mounted_.push_back({path, source});
  return path;
}

absl::StatusOr<std::string> RootfsMountPoints::MakeDirectory(const std::string& destination) {
  return Walk(destination, true);
}

absl::StatusOr<std::optional<MountPoints::Found>> RootfsMountPoints::Find(const std::string& path) {
  const absl::StatusOr<UniqueFd> fd =
      base::OpenAt(root_.get(), path.substr(1), O_PATH, Resolve::kInRoot);
  if (absl::IsNotFound(fd.status())) return std::nullopt;
  if (!fd.ok()) return fd.status();
  BULKHEAD_ASSIGN_OR_RETURN(const std::string found, Walk(path, IsDirectory(fd->get())));
  return Found{.path = found, .directory = IsDirectory(fd->get())};
}

}  // namespace bulkhead::lxc
