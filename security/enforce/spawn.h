#pragma once

#include <sys/types.h>

#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "security/profile.h"

namespace bulkhead::security {

struct SpawnOptions {
  int program = -1;      // the executable, opened O_PATH
  std::vector<int> fds;  // become fd 3, 4, ... in this order, matching the profile's FdRows
  int stderr_fd = 2;     // becomes 2; 0 and 1 are /dev/null
  int cgroup = -1;       // v2: directory of the cgroup to be born in
  // v1: cgroup.procs files to join: a kInheritable kind, which can fork, before its program runs; a
  // kFull kind, which cannot, while its program starts.
  std::vector<std::string> cgroup_procs;
  std::vector<std::string> arguments;  // after argv[0]; compiled-in words only
};

struct Spawned {
  pid_t pid = -1;
  base::UniqueFd pidfd;
};

// Clones a child into the profile's new pid and user namespaces, maps its ids, gives it exactly the
// fds, an empty environment, default signals and "/" as directory, and executes the program, which
// enters the rest of the profile itself (enter.h). The caller must be single-threaded and root.
// RESOURCE_EXHAUSTED: no process or memory. After an error no child is left.
absl::StatusOr<Spawned> Spawn(const Profile& profile, const SpawnOptions& options);

// A user namespace in which a layer's shifted owners appear as what the image says, for
// MOUNT_ATTR_IDMAP: nobody lives in it.
absl::StatusOr<base::UniqueFd> MakeLayerIdsNamespace();

}  // namespace bulkhead::security
