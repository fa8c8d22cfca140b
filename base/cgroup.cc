#include "base/cgroup.h"

#include <dirent.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <algorithm>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/clean_path.h"
#include "base/deadline.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::base {
namespace {

constexpr const char* kV1Hierarchies[] = {"cpu",     "cpuacct", "cpuset", "memory", "devices",
                                          "freezer", "blkio",   "pids",   "systemd"};
constexpr char kUnified[] = "unified";
constexpr absl::Duration kPatience = absl::Seconds(1);
constexpr absl::Duration kPause = absl::Milliseconds(5);
constexpr int kMaxDepth = 32;  // each level costs a descriptor
constexpr size_t kMaxProcsBytes = 1 << 20;
constexpr size_t kPidfdBatch = 16;
constexpr int64_t kLeastShares = 2;
constexpr int64_t kMostShares = 262144;

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

bool IsCgroup2(const std::string& path) {
  struct statfs fs;
  return statfs(path.c_str(), &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

bool IsCgroup1(const std::string& path) {
  struct statfs fs;
  return statfs(path.c_str(), &fs) == 0 && fs.f_type == CGROUP_SUPER_MAGIC;
}

// The root cgroup would be every process of the node.
absl::Status CheckPath(absl::string_view path) {
  if (IsCleanAbsolutePath(path) && path != "/") return absl::OkStatus();
  return absl::InvalidArgumentError("cgroup: not a clean path of a cgroup below the root");
}

// Where it may live, below kCgroupMount, mounted or not. Runtimes join the unified hierarchy of a
// hybrid too.
std::vector<std::string> Places(CgroupMode mode, absl::string_view path) {
  if (mode == CgroupMode::kV2) return {std::string(path.substr(1))};
  std::vector<std::string> places;
  for (const char* hierarchy : kV1Hierarchies) places.push_back(absl::StrCat(hierarchy, path));
  if (mode == CgroupMode::kHybrid) places.push_back(absl::StrCat(kUnified, path));
  return places;
}

absl::StatusOr<UniqueFd> OpenCgroup(int root, const std::string& place) {
  return OpenAt(root, place, O_RDONLY | O_DIRECTORY, Resolve::kInRoot);
}

// The cgroups directly below. A cgroup that vanished has none.
absl::StatusOr<std::vector<std::string>> Children(int cgroup) {
  absl::StatusOr<UniqueFd> again =
      OpenAt(cgroup, ".", O_RDONLY | O_DIRECTORY, Resolve::kBeneathNoSymlinks);
  if (absl::IsNotFound(again.status())) return std::vector<std::string>();
  if (!again.ok()) return again.status();
  std::unique_ptr<DIR, CloseDir> dir(fdopendir(again->get()));
  if (dir == nullptr) return ErrnoStatus("read cgroup");
  [[maybe_unused]] const int owned_by_dir = again->Release();
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(dir.get());
    if (entry == nullptr && errno != 0 && errno != ENOENT) return ErrnoStatus("read cgroup");
    if (entry == nullptr) return names;
    const absl::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.emplace_back(name);
  }
}

// Appends the processes of this cgroup and of those below.
absl::Status CollectPids(int cgroup, int depth, std::vector<pid_t>* pids) {
  if (depth > kMaxDepth) return absl::ResourceExhaustedError("cgroup: nested too deep");
  absl::StatusOr<UniqueFd> procs =
      OpenAt(cgroup, "cgroup.procs", O_RDONLY, Resolve::kBeneathNoSymlinks);
  if (absl::IsNotFound(procs.status())) return absl::OkStatus();
  if (!procs.ok()) return procs.status();
  const absl::StatusOr<std::string> text = ReadAll(procs->get(), kMaxProcsBytes);
  // ENODEV: the cgroup was removed after the open.
  for (absl::string_view line : absl::StrSplit(text.value_or(""), '\n', absl::SkipEmpty())) {
    pid_t pid = 0;
    // 0 is a process of another pid namespace; as an argument of kill(2) it would mean ourselves.
    if (!absl::SimpleAtoi(line, &pid) || pid <= 0) {
      return absl::FailedPreconditionError("cgroup: a process of it is not visible from here");
    }
    pids->push_back(pid);
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> children, Children(cgroup));
  for (const std::string& child : children) {
    absl::StatusOr<UniqueFd> fd = OpenCgroup(cgroup, child);
    if (absl::IsNotFound(fd.status())) continue;
    if (!fd.ok()) return fd.status();
    BULKHEAD_RETURN_IF_ERROR(CollectPids(fd->get(), depth + 1, pids));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<pid_t>> AllPids(int root, const std::vector<std::string>& places) {
  std::vector<pid_t> pids;
  for (const std::string& place : places) {
    absl::StatusOr<UniqueFd> fd = OpenCgroup(root, place);
    if (absl::IsNotFound(fd.status())) continue;
    if (!fd.ok()) return fd.status();
    BULKHEAD_RETURN_IF_ERROR(CollectPids(fd->get(), 0, &pids));
  }
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

// Kills one batch. A pid may be reused between reading the list and the signal, so each is pinned
// by a pidfd and looked up in a second list before it is signalled.
absl::Status KillBatch(int root, const std::vector<std::string>& places, const pid_t* pids,
                       size_t count) {
  std::vector<UniqueFd> pidfds;
  for (size_t i = 0; i < count; ++i) {
    pidfds.emplace_back(static_cast<int>(syscall(SYS_pidfd_open, pids[i], 0)));
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<pid_t> still, AllPids(root, places));
  for (size_t i = 0; i < count; ++i) {
    if (!pidfds[i] || !std::binary_search(still.begin(), still.end(), pids[i])) continue;
    if (syscall(SYS_pidfd_send_signal, pidfds[i].get(), SIGKILL, nullptr, 0) != 0 &&
        errno != ESRCH) {
      return ErrnoStatus("kill a process of the cgroup");
    }
  }
  return absl::OkStatus();
}

absl::Status KillOneByOne(int root, const std::vector<std::string>& places) {
  const Deadline deadline = Deadline::After(kPatience);
  for (;;) {
    BULKHEAD_ASSIGN_OR_RETURN(std::vector<pid_t> pids, AllPids(root, places));
    if (pids.empty()) return absl::OkStatus();
    if (deadline.Passed()) {
      return absl::DeadlineExceededError(
          absl::StrCat("kill cgroup: ", pids.size(), " processes are left"));
    }
    for (size_t i = 0; i < pids.size(); i += kPidfdBatch) {
      BULKHEAD_RETURN_IF_ERROR(
          KillBatch(root, places, &pids[i], std::min(kPidfdBatch, pids.size() - i)));
    }
    absl::SleepFor(kPause);
  }
}

absl::Status RemoveBelow(int parent, const std::string& name, int depth, Deadline deadline) {
  if (depth > kMaxDepth) return absl::ResourceExhaustedError("cgroup: nested too deep");
  for (;;) {
    if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
      return absl::OkStatus();
    }
    const int error = errno;
    if (error != EBUSY && error != ENOTEMPTY) {
      return ErrnoStatus(absl::StrCat("remove cgroup ", name), error);
    }
    absl::StatusOr<UniqueFd> fd = OpenCgroup(parent, name);
    if (absl::IsNotFound(fd.status())) return absl::OkStatus();
    if (!fd.ok()) return fd.status();
    BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> children, Children(fd->get()));
    for (const std::string& child : children) {
      BULKHEAD_RETURN_IF_ERROR(RemoveBelow(fd->get(), child, depth + 1, deadline));
    }
    // Killed processes leave a cgroup a moment after they are gone.
    if (children.empty() && deadline.Passed()) {
      return ErrnoStatus(absl::StrCat("remove cgroup ", name), error);
    }
    if (children.empty()) absl::SleepFor(kPause);
  }
}

}  // namespace

absl::StatusOr<CgroupMode> DetectCgroupMode() {
  const std::string mount = kCgroupMount;
  if (IsCgroup2(mount)) return CgroupMode::kV2;
  const bool any_v1 =
      std::any_of(std::begin(kV1Hierarchies), std::end(kV1Hierarchies),
                  [&](const char* name) { return IsCgroup1(absl::StrCat(mount, "/", name)); });
  if (!any_v1) {
    return absl::FailedPreconditionError(absl::StrCat("no cgroup is mounted at ", mount));
  }
  return IsCgroup2(absl::StrCat(mount, "/", kUnified)) ? CgroupMode::kHybrid : CgroupMode::kV1;
}

std::vector<std::string> CgroupDirectories(CgroupMode mode, absl::string_view path) {
  if (mode == CgroupMode::kV2) return {std::string(path.substr(std::min<size_t>(1, path.size())))};
  std::vector<std::string> directories;
  for (const char* hierarchy : kV1Hierarchies) {
    if (!IsCgroup1(absl::StrCat(kCgroupMount, "/", hierarchy))) continue;
    directories.push_back(absl::StrCat(hierarchy, path));
  }
  return directories;
}

absl::Status KillCgroup(int root, CgroupMode mode, absl::string_view path) {
  BULKHEAD_RETURN_IF_ERROR(CheckPath(path));
  const std::vector<std::string> places = Places(mode, path);
  if (mode != CgroupMode::kV2) return KillOneByOne(root, places);
  absl::StatusOr<UniqueFd> fd = OpenCgroup(root, places.front());
  if (absl::IsNotFound(fd.status())) return absl::OkStatus();
  if (!fd.ok()) return fd.status();
  return WriteKernelFile(fd->get(), "cgroup.kill", "1");
}

namespace {

absl::Status RemoveAt(int root, const std::string& place, const Deadline& deadline) {
  const size_t slash = place.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : place.substr(0, slash);
  const std::string name = slash == std::string::npos ? place : place.substr(slash + 1);
  absl::StatusOr<UniqueFd> fd = OpenCgroup(root, parent);
  if (absl::IsNotFound(fd.status())) return absl::OkStatus();
  if (!fd.ok()) return fd.status();
  return RemoveBelow(fd->get(), name, 0, deadline);
}

}  // namespace

absl::Status RemoveCgroupAt(int root, const std::string& place) {
  return RemoveAt(root, place, Deadline::After(kPatience));
}

absl::Status RemoveCgroup(int root, CgroupMode mode, absl::string_view path) {
  BULKHEAD_RETURN_IF_ERROR(CheckPath(path));
  const Deadline deadline = Deadline::After(kPatience);
  for (const std::string& place : Places(mode, path)) {
    BULKHEAD_RETURN_IF_ERROR(RemoveAt(root, place, deadline));
  }
  return absl::OkStatus();
}

uint64_t WeightOfShares(int64_t shares) {
  const int64_t inside = std::clamp(shares, kLeastShares, kMostShares);
  return static_cast<uint64_t>(1 + (inside - kLeastShares) * 9999 / (kMostShares - kLeastShares));
}

}  // namespace bulkhead::base
