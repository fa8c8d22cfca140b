#pragma once

#include <list>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/cgroup.h"
#include "base/unique_fd.h"
#include "security/profile.h"

namespace bulkhead::spawner {

// One cgroup a worker, "bulkhead/worker-<pid of this spawner>-<n>": on v1 in the memory and the
// pids hierarchy, on v2 in the one there is. Nothing else is touched. The cgroup of a worker that
// has ended serves a later one with the same limits: what the end of a memory cgroup costs the
// kernel grows with the number of cgroups on the node.
class Cgroups {
 public:
  // Makes bulkhead/ and removes what earlier spawners left empty; the cgroups of living monitors
  // stay.
  static absl::StatusOr<Cgroups> Open(base::CgroupMode mode);

  // Removes what earlier spawners left and is empty by now. True: something is still in use, by
  // monitors that outlived their spawner.
  bool RemoveLeftovers() const;

  struct Cgroup {
    std::string name;                // "worker-812-5"
    std::vector<std::string> procs;  // v1: what to write the pid to
    base::UniqueFd directory;        // v2: for CLONE_INTO_CGROUP
    uint64_t memory_bytes = 0;       // its limits
    uint32_t pids = 0;
  };
  // With the table's limits set, new or used before. After an error nothing is left.
  absl::StatusOr<Cgroup> Make(const security::Limits& limits);

  // Whether its memory limit has killed something in it.
  bool OomKilled(const Cgroup& cgroup) const;
  // Keeps it for another worker or removes it. oom_killed: as OomKilled said; such a one is not
  // kept. False: there still are processes in it, or dying ones; they have been sent SIGKILL.
  bool Release(const Cgroup& cgroup, bool oom_killed);
  // The same, but never keeps it.
  bool Remove(const Cgroup& cgroup) const;
  // Removes those that are kept.
  void RemoveIdle();
  // SIGKILL to all in it, without waiting for them.
  void Kill(const Cgroup& cgroup) const;

 private:
  Cgroups(base::CgroupMode mode, base::UniqueFd root, std::vector<std::string> parents)
      : mode_(mode), root_(std::move(root)), parents_(std::move(parents)) {}
  bool RemoveLeftovers(const std::string& parent) const;
  absl::StatusOr<Cgroup> MakeNew(const security::Limits& limits);
  absl::StatusOr<base::UniqueFd> OpenDirectory(const std::string& name) const;
  // One file for each version of cgroups.
  absl::StatusOr<std::string> ReadMemoryFile(const Cgroup& cgroup, const char* v1,
                                             const char* v2) const;
  bool HasNobody(const Cgroup& cgroup) const;
  bool HoldsLittle(const Cgroup& cgroup) const;
  absl::Status MakeIn(const std::string& parent, const security::Limits& limits, Cgroup* cgroup);
  bool RemoveFrom(const std::string& parent, const std::string& name) const;

  base::CgroupMode mode_;
  base::UniqueFd root_;               // of the cgroup mount
  std::vector<std::string> parents_;  // relative to it: "memory/bulkhead", "pids/bulkhead"
  uint64_t next_ = 1;
  std::list<Cgroup> idle_;  // empty, and as good as new
};

}  // namespace bulkhead::spawner
