#include "worker/cgroup/tree.h"

#include <dirent.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::cgroup {
namespace {

using base::Resolve;
using base::UniqueFd;

// The mark comes with the directory, so that no crash can come between.
constexpr mode_t kMark = S_ISVTX;
constexpr mode_t kMode = 0755 | kMark;
constexpr int kMaxTries = 16;
constexpr size_t kMaxValueBytes = 4096;

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

absl::StatusOr<UniqueFd> OpenDirectory(int parent, const std::string& name) {
  return base::OpenAt(parent, name, O_RDONLY | O_DIRECTORY, Resolve::kInRoot);
}

absl::StatusOr<std::string> Read(int directory, const char* file) {
  BULKHEAD_ASSIGN_OR_RETURN(const UniqueFd fd,
                            base::OpenAt(directory, file, O_RDONLY, Resolve::kBeneathNoSymlinks));
  return base::ReadAll(fd.get(), kMaxValueBytes);
}

// v2: one by one, as a node may lack some, and a controller with processes beside it is refused.
void EnableControllers(int parent) {
  const absl::StatusOr<std::string> available = Read(parent, "cgroup.controllers");
  if (!available.ok()) return;  // v1
  for (absl::string_view name :
       absl::StrSplit(*available, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    base::WriteKernelFile(parent, "cgroup.subtree_control", absl::StrCat("+", name)).IgnoreError();
  }
}

// v1: a new cpuset has no processors, and takes no process.
absl::Status InheritCpuset(int parent, int child) {
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    const absl::StatusOr<std::string> own = Read(child, file);
    if (!own.ok() || own->find_first_not_of('\n') != std::string::npos) continue;
    BULKHEAD_ASSIGN_OR_RETURN(const std::string above, Read(parent, file));
    BULKHEAD_RETURN_IF_ERROR(base::WriteKernelFile(child, file, above));
  }
  return absl::OkStatus();
}

bool HasMark(const struct stat& st) { return (st.st_mode & kMark) != 0; }

// One pass down the path. ABORTED: a directory went away meanwhile. made: names of what is new,
// lowest last.
absl::StatusOr<bool> MakeOnce(int root, const std::string& hierarchy, const std::string& path,
                              std::vector<std::string>* made) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd parent,
                            OpenDirectory(root, hierarchy.empty() ? "." : hierarchy));
  std::string so_far;
  bool ours = false;
  for (absl::string_view name : absl::StrSplit(path.substr(1), '/')) {
    const std::string child_name(name);
    absl::StrAppend(&so_far, "/", name);
    if (hierarchy.empty()) EnableControllers(parent.get());
    const bool is_new = mkdirat(parent.get(), child_name.c_str(), kMode) == 0;
    if (!is_new && errno == ENOENT) return absl::AbortedError("cgroup: its parent went away");
    if (!is_new && errno != EEXIST) return base::ErrnoStatus(absl::StrCat("make cgroup ", so_far));
    if (is_new) made->push_back(so_far);
    absl::StatusOr<UniqueFd> child = OpenDirectory(parent.get(), child_name);
    if (absl::IsNotFound(child.status())) return absl::AbortedError("cgroup: it went away");
    if (!child.ok()) return child.status();
    // Whatever the umask: the root of a pod's user namespace has to find its cgroup.
    if (is_new && fchmod(child->get(), kMode) != 0) return base::ErrnoStatus("chmod cgroup");
    if (hierarchy == "cpuset") BULKHEAD_RETURN_IF_ERROR(InheritCpuset(parent.get(), child->get()));
    struct stat st;
    if (fstat(child->get(), &st) != 0) return base::ErrnoStatus("stat cgroup");
    ours = HasMark(st);
    parent = *std::move(child);
  }
  return ours;
}

}  // namespace

std::string PlaceOf(const std::string& hierarchy, absl::string_view path) {
  return hierarchy.empty() ? std::string(path.substr(1)) : absl::StrCat(hierarchy, path);
}

absl::StatusOr<std::vector<std::string>> Hierarchies(int root, bool v2) {
  if (v2) return std::vector<std::string>{""};
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd again, OpenDirectory(root, "."));
  std::unique_ptr<DIR, CloseDir> dir(fdopendir(again.get()));
  if (dir == nullptr) return base::ErrnoStatus("list cgroup hierarchies");
  [[maybe_unused]] const int owned_by_dir = again.Release();
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir.get())) {
    // A link is another name of a hierarchy of several controllers.
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    absl::StatusOr<UniqueFd> fd = OpenDirectory(root, entry->d_name);
    struct statfs fs;
    if (!fd.ok() || fstatfs(fd->get(), &fs) != 0) continue;
    if (fs.f_type == CGROUP_SUPER_MAGIC) names.push_back(entry->d_name);
  }
  return names;
}

absl::StatusOr<bool> MakeCgroup(int root, const std::string& hierarchy, const std::string& path) {
  absl::StatusOr<bool> ours = absl::AbortedError("");
  std::vector<std::string> made;
  // Another job may take away a parent that was empty a moment ago.
  for (int tries = 0; tries < kMaxTries && absl::IsAborted(ours.status()); ++tries) {
    ours = MakeOnce(root, hierarchy, path, &made);
  }
  if (ours.ok()) return ours;
  for (auto name = made.rbegin(); name != made.rend(); ++name) {
    unlinkat(root, PlaceOf(hierarchy, *name).c_str(), AT_REMOVEDIR);
  }
  return ours;
}

absl::StatusOr<bool> IsOurs(int root, const std::string& hierarchy, const std::string& path) {
  BULKHEAD_ASSIGN_OR_RETURN(const UniqueFd fd, OpenDirectory(root, PlaceOf(hierarchy, path)));
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return base::ErrnoStatus("stat cgroup");
  return HasMark(st);
}

void RemoveEmptyParents(int root, const std::string& hierarchy, const std::string& path) {
  std::string parent = path.substr(0, path.rfind('/'));
  while (!parent.empty()) {
    const absl::StatusOr<bool> ours = IsOurs(root, hierarchy, parent);
    if (!ours.ok() || !*ours) return;
    // Refused where another pod's cgroup is in it.
    if (unlinkat(root, PlaceOf(hierarchy, parent).c_str(), AT_REMOVEDIR) != 0) return;
    parent = parent.substr(0, parent.rfind('/'));
  }
}

}  // namespace bulkhead::cgroup
