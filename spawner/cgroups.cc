#include "spawner/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"

namespace bulkhead::spawner {
namespace {

using base::UniqueFd;

constexpr char kParent[] = "bulkhead";
constexpr char kPrefix[] = "worker-";
constexpr size_t kMostProcsBytes = 64 << 10;
constexpr size_t kMostIdle = 48;

absl::Status Write(int root, const std::string& directory, const char* file,
                   absl::string_view value) {
  return base::WriteKernelFile(root, absl::StrCat(directory, "/", file), value);
}

// v1: the two hierarchies whose limits a worker needs, where the node has them.
std::vector<std::string> Hierarchies(int root) {
  std::vector<std::string> found;
  for (const char* controller : {"memory", "pids"}) {
    struct stat st;
    const std::string file = absl::StrCat(controller, "/cgroup.procs");
    if (fstatat(root, file.c_str(), &st, 0) == 0) {
      found.push_back(absl::StrCat(controller, "/", kParent));
    } else {
      base::Log(base::Severity::kWarning, "workers run without a limit: no such cgroup controller",
                {{"controller", controller}});
    }
  }
  return found;
}

absl::Status Delegate(int root) {
  BULKHEAD_RETURN_IF_ERROR(Write(root, ".", "cgroup.subtree_control", "+memory +pids"));
  return Write(root, kParent, "cgroup.subtree_control", "+memory +pids");
}

// "worker-<pid>-<n>" of a spawner that lives, so that two of them on one node leave each other
// alone.
bool IsOwn(absl::string_view name) {
  return absl::StartsWith(name, absl::StrCat(kPrefix, getpid(), "-"));
}

bool OwnerLives(absl::string_view name) {
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '-');
  pid_t owner = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &owner) || owner <= 0) return false;
  return kill(owner, 0) == 0;
}

std::set<pid_t> ReadProcs(const std::string& path) {
  std::set<pid_t> pids;
  const absl::StatusOr<std::string> text = base::ReadFile(path, kMostProcsBytes);
  if (!text.ok()) return pids;  // gone already
  for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    pid_t pid = 0;
    if (absl::SimpleAtoi(line, &pid) && pid > 0) pids.insert(pid);
  }
  return pids;
}

// A number may be another process's by now: each is pinned, and looked up once more before the
// signal.
void KillListed(const std::string& procs) {
  std::map<pid_t, UniqueFd> pinned;
  for (pid_t pid : ReadProcs(procs)) {
    UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (fd) pinned.emplace(pid, std::move(fd));
  }
  for (pid_t pid : ReadProcs(procs)) {
    const auto found = pinned.find(pid);
    if (found == pinned.end()) continue;
    syscall(SYS_pidfd_send_signal, found->second.get(), SIGKILL, nullptr, 0);
  }
}

}  // namespace

absl::StatusOr<Cgroups> Cgroups::Open(base::CgroupMode mode) {
  BULKHEAD_ASSIGN_OR_RETURN(
      UniqueFd root,
      base::OpenAt(AT_FDCWD, base::kCgroupMount, O_PATH | O_DIRECTORY, base::Resolve::kHost));
  const bool v2 = mode == base::CgroupMode::kV2;
  std::vector<std::string> parents;
  if (v2) {
    parents = {kParent};
  } else {
    parents = Hierarchies(root.get());
  }
  for (const std::string& parent : parents) {
    BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(root.get(), parent, 0755));
  }
  if (v2) BULKHEAD_RETURN_IF_ERROR(Delegate(root.get()));
  Cgroups cgroups(mode, std::move(root), std::move(parents));
  cgroups.RemoveLeftovers();
  return cgroups;
}

bool Cgroups::RemoveLeftovers() const {
  bool some_stay = false;
  for (const std::string& parent : parents_) some_stay |= RemoveLeftovers(parent);
  return some_stay;
}

bool Cgroups::RemoveLeftovers(const std::string& parent) const {
  UniqueFd fd(openat(root_.get(), parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* dir = fd ? fdopendir(fd.Release()) : nullptr;
  if (dir == nullptr) return false;
  bool some_stay = false;
  while (const dirent* entry = readdir(dir)) {
    if (!absl::StartsWith(entry->d_name, kPrefix) || IsOwn(entry->d_name)) continue;
    // Refused where a process is in it: a monitor that outlived its spawner.
    some_stay |=
        OwnerLives(entry->d_name) || unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) != 0;
  }
  closedir(dir);
  return some_stay;
}

absl::StatusOr<Cgroups::Cgroup> Cgroups::Make(const security::Limits& limits) {
  auto idle = std::ranges::find_if(idle_, [&](const Cgroup& cgroup) {
    return cgroup.memory_bytes == limits.memory_bytes && cgroup.pids == limits.pids;
  });
  if (idle == idle_.end()) return MakeNew(limits);
  Cgroup cgroup = std::move(*idle);
  idle_.erase(idle);
  if (mode_ != base::CgroupMode::kV2) return cgroup;
  BULKHEAD_ASSIGN_OR_RETURN(cgroup.directory, OpenDirectory(cgroup.name));
  return cgroup;
}

absl::StatusOr<Cgroups::Cgroup> Cgroups::MakeNew(const security::Limits& limits) {
  Cgroup cgroup = {.memory_bytes = limits.memory_bytes, .pids = limits.pids};
  cgroup.name = absl::StrCat(kPrefix, getpid(), "-", next_++);
  for (const std::string& parent : parents_) {
    const absl::Status status = MakeIn(parent, limits, &cgroup);
    if (status.ok()) continue;
    Remove(cgroup);
    return status;
  }
  return cgroup;
}

absl::Status Cgroups::MakeIn(const std::string& parent, const security::Limits& limits,
                             Cgroup* cgroup) {
  const std::string directory = absl::StrCat(parent, "/", cgroup->name);
  if (mkdirat(root_.get(), directory.c_str(), 0755) != 0) {
    return base::ErrnoStatus(absl::StrCat("mkdir ", directory));
  }
  const std::string memory = absl::StrCat(limits.memory_bytes), pids = absl::StrCat(limits.pids);
  if (mode_ != base::CgroupMode::kV2) {
    cgroup->procs.push_back(absl::StrCat(base::kCgroupMount, "/", directory, "/cgroup.procs"));
    if (!absl::StartsWith(parent, "memory")) return Write(root_.get(), directory, "pids.max", pids);
    return Write(root_.get(), directory, "memory.limit_in_bytes", memory);
  }
  BULKHEAD_RETURN_IF_ERROR(Write(root_.get(), directory, "memory.max", memory));
  BULKHEAD_RETURN_IF_ERROR(Write(root_.get(), directory, "pids.max", pids));
  BULKHEAD_ASSIGN_OR_RETURN(cgroup->directory, OpenDirectory(cgroup->name));
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> Cgroups::OpenDirectory(const std::string& name) const {
  return base::OpenAt(root_.get(), absl::StrCat(kParent, "/", name), O_RDONLY | O_DIRECTORY,
                      base::Resolve::kBeneathNoSymlinks);
}

absl::StatusOr<std::string> Cgroups::ReadMemoryFile(const Cgroup& cgroup, const char* v1,
                                                    const char* v2) const {
  const bool is_v2 = mode_ == base::CgroupMode::kV2;
  return base::ReadFile(absl::StrCat(base::kCgroupMount, is_v2 ? "/" : "/memory/", kParent, "/",
                                     cgroup.name, "/", is_v2 ? v2 : v1),
                        4096);
}

bool Cgroups::OomKilled(const Cgroup& cgroup) const {
  const absl::StatusOr<std::string> text =
      ReadMemoryFile(cgroup, "memory.oom_control", "memory.events");
  if (!text.ok()) return false;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    uint64_t count = 0;
    if (absl::ConsumePrefix(&line, "oom_kill ") && absl::SimpleAtoi(line, &count)) return count > 0;
  }
  return false;
}

bool Cgroups::RemoveFrom(const std::string& parent, const std::string& name) const {
  const std::string directory = absl::StrCat(parent, "/", name);
  if (unlinkat(root_.get(), directory.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  if (errno != EBUSY) {
    base::Log(base::Severity::kWarning, "cannot remove a worker's cgroup",
              {{"cgroup", directory}, {"error", strerror(errno)}});
  }
  return errno != EBUSY;
}

bool Cgroups::HasNobody(const Cgroup& cgroup) const {
  return std::ranges::all_of(parents_, [&](const std::string& parent) {
    const absl::StatusOr<std::string> procs = base::ReadFile(
        absl::StrCat(base::kCgroupMount, "/", parent, "/", cgroup.name, "/cgroup.procs"),
        kMostProcsBytes);
    return procs.ok() && procs->empty();
  });
}

// Of what its workers had the kernel make, such as namespaces and mounts, much may be charged to it
// still.
bool Cgroups::HoldsLittle(const Cgroup& cgroup) const {
  const absl::StatusOr<std::string> text =
      ReadMemoryFile(cgroup, "memory.usage_in_bytes", "memory.current");
  uint64_t bytes = 0;
  return text.ok() && absl::SimpleAtoi(*text, &bytes) && bytes < cgroup.memory_bytes / 4;
}

bool Cgroups::Release(const Cgroup& cgroup, bool oom_killed) {
  const bool as_new = !oom_killed && HasNobody(cgroup) && HoldsLittle(cgroup);
  if (idle_.size() >= kMostIdle || !as_new) return Remove(cgroup);
  idle_.push_front({.name = cgroup.name,
                    .procs = cgroup.procs,
                    .memory_bytes = cgroup.memory_bytes,
                    .pids = cgroup.pids});
  return true;
}

void Cgroups::RemoveIdle() {
  for (const Cgroup& cgroup : idle_) Remove(cgroup);
  idle_.clear();
}

bool Cgroups::Remove(const Cgroup& cgroup) const {
  bool removed = true;
  for (const std::string& parent : parents_) removed &= RemoveFrom(parent, cgroup.name);
  if (!removed) Kill(cgroup);
  return removed;
}

// Sends and does not wait: who called tries again. base::KillCgroup would wait for what cannot die
// yet, and the spawner serves others meanwhile.
void Cgroups::Kill(const Cgroup& cgroup) const {
  if (mode_ == base::CgroupMode::kV2) {
    const std::string directory = absl::StrCat(kParent, "/", cgroup.name);
    // Missing where it has ended already.
    (void)Write(root_.get(), directory, "cgroup.kill", "1");
    return;
  }
  for (const std::string& procs : cgroup.procs) KillListed(procs);
}

}  // namespace bulkhead::spawner
