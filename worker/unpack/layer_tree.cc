#include "worker/unpack/layer_tree.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t kImpliedMode = 0755;
// overlayfs reads user.* instead of trusted.* where it is mounted with userxattr: trusted.* needs
// power on the node, which this process does not have.
constexpr char kOpaqueXattr[] = "user.overlay.opaque";

enum class Found { kNothing, kDirectory, kWhiteout, kOther };

absl::StatusOr<Found> Look(int parent, const std::string& leaf) {
  struct stat st;
  if (fstatat(parent, leaf.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return Found::kNothing;
    return base::ErrnoStatus("stat");
  }
  if (S_ISDIR(st.st_mode)) return Found::kDirectory;
  // No other device is ever made here.
  if (S_ISCHR(st.st_mode)) return Found::kWhiteout;
  return Found::kOther;
}

absl::StatusOr<base::UniqueFd> OpenChild(int parent, const std::string& leaf) {
  base::UniqueFd fd(openat(parent, leaf.c_str(), kOpenDirectory | O_NOFOLLOW));
  if (!fd) return base::ErrnoStatus("open directory");
  return fd;
}

}  // namespace

absl::Status LayerTree::CountOne() {
  if (made_ == max_made_) {
    return absl::ResourceExhaustedError(absl::StrCat("more than ", max_made_, " entries"));
  }
  ++made_;
  return absl::OkStatus();
}

absl::StatusOr<base::UniqueFd> LayerTree::Find(const std::string& path) const {
  return base::OpenAt(root_, path.empty() ? "." : path, kOpenDirectory, base::Resolve::kInRoot);
}

absl::StatusOr<int> LayerTree::Parent(const std::string& path) {
  if (path.empty()) return root_;
  if (cached_ && cached_path_ == path) return cached_.get();
  BULKHEAD_ASSIGN_OR_RETURN(cached_, OpenOrMake(path));
  cached_path_ = path;
  return cached_.get();
}

// The whole path at once where it exists; else from the first component on.
absl::StatusOr<base::UniqueFd> LayerTree::OpenOrMake(const std::string& path) {
  absl::StatusOr<base::UniqueFd> whole = Find(path);
  if (whole.ok()) return whole;
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd at, Find(""));
  for (size_t end = 0; end < path.size(); ++end) {
    size_t begin = end;
    end = std::min(path.find('/', begin), path.size());
    absl::StatusOr<base::UniqueFd> next = Find(path.substr(0, end));
    if (!next.ok()) {
      std::string leaf = path.substr(begin, end - begin);
      BULKHEAD_ASSIGN_OR_RETURN(Found found, Look(at.get(), leaf));
      if (found != Found::kNothing && found != Found::kWhiteout) {
        return absl::InvalidArgumentError("a parent is no directory, or a link to none");
      }
      BULKHEAD_RETURN_IF_ERROR(MakeDirectory(at.get(), leaf));
      next = OpenChild(at.get(), leaf);
    }
    if (!next.ok()) return next.status();
    at = *std::move(next);
  }
  return at;
}

absl::Status LayerTree::NewDirectory(int parent, const std::string& leaf) {
  BULKHEAD_RETURN_IF_ERROR(CountOne());
  if (mkdirat(parent, leaf.c_str(), 0700) != 0) return base::ErrnoStatus("mkdir");
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, OpenChild(parent, leaf));
  // A parent's set-group-ID bit would be inherited.
  if (fchown(fd.get(), 0, 0) != 0) return base::ErrnoStatus("chown");
  if (fchmod(fd.get(), kImpliedMode) != 0) return base::ErrnoStatus("chmod");
  return absl::OkStatus();
}

absl::Status LayerTree::MakeDirectory(int parent, const std::string& leaf) {
  BULKHEAD_ASSIGN_OR_RETURN(Found found, Look(parent, leaf));
  if (found == Found::kDirectory) return absl::OkStatus();
  if (found != Found::kNothing) BULKHEAD_RETURN_IF_ERROR(Clear(parent, leaf));
  BULKHEAD_RETURN_IF_ERROR(NewDirectory(parent, leaf));
  if (found != Found::kWhiteout) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, OpenChild(parent, leaf));
  return MakeOpaque(fd.get());
}

absl::Status LayerTree::Make(int parent, const std::string& leaf, absl::FunctionRef<int()> make) {
  BULKHEAD_RETURN_IF_ERROR(CountOne());
  if (make() >= 0) return absl::OkStatus();
  if (errno != EEXIST) return base::ErrnoStatus("create");
  BULKHEAD_RETURN_IF_ERROR(Clear(parent, leaf));
  if (make() < 0) return base::ErrnoStatus("create");
  return absl::OkStatus();
}

absl::Status LayerTree::Clear(int parent, const std::string& leaf) {
  BULKHEAD_ASSIGN_OR_RETURN(Found found, Look(parent, leaf));
  // The path of the cached directory may mean another one from here on, but parent may be the
  // cached fd itself: the fd lives on until the next Parent.
  cached_path_.clear();
  if (found == Found::kNothing) return absl::OkStatus();
  if (found == Found::kDirectory) return base::RemoveTree(parent, leaf);
  if (unlinkat(parent, leaf.c_str(), 0) != 0) return base::ErrnoStatus("unlink");
  return absl::OkStatus();
}

absl::Status LayerTree::MakeWhiteout(int parent, const std::string& leaf) {
  BULKHEAD_ASSIGN_OR_RETURN(Found found, Look(parent, leaf));
  if (found == Found::kDirectory) {
    BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, OpenChild(parent, leaf));
    return MakeOpaque(fd.get());
  }
  // What this layer itself has there hides the layers below already.
  if (found != Found::kNothing) return absl::OkStatus();
  BULKHEAD_RETURN_IF_ERROR(CountOne());
  if (mknodat(parent, leaf.c_str(), S_IFCHR, makedev(0, 0)) != 0) {
    return base::ErrnoStatus("make whiteout");
  }
  // The group is the parent's where that has a set-group-ID bit.
  if (fchownat(parent, leaf.c_str(), 0, 0, AT_SYMLINK_NOFOLLOW) != 0) {
    return base::ErrnoStatus("chown whiteout");
  }
  return absl::OkStatus();
}

absl::Status LayerTree::MakeOpaque(int directory) {
  if (fsetxattr(directory, kOpaqueXattr, "y", 1, 0) != 0) {
    return base::ErrnoStatus("make directory opaque");
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::worker
