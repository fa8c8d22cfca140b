#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "schema/worker/launch.capnp.h"

namespace bulkhead::container {

// Where one container's things lie: the worker's directories and the names below them, checked
// once.
struct Place {
  int root = -1;  // fd of <root_dir>
  int run = -1;   // fd of <run_dir>
  std::string runtime_name;
  std::string pod_id;
  std::string container_id;
  std::string bundle;         // <root_dir>/<runtime>/<pod>/<container>
  std::string pod_directory;  // <run_dir>/pods/<pod>
  std::string state_root;     // <run_dir>/<runtime>, the runtime's own state
};

// Checks the job's names, so that none can lead elsewhere. The fds stay the caller's.
absl::StatusOr<Place> FindPlace(schema::LaunchJob::Reader job, int root, int run);

// The specification's name in the bundle.
inline constexpr char kConfigFile[] = "config.json";

// Makes the bundle, which must not exist yet: rootfs/, and mounts/<n> as a directory or file for
// each volume. All directories are root's alone; passable: others may walk through them, as the
// root of a pod's user namespace has to.
absl::Status MakeBundle(const Place& place, const std::vector<base::UniqueFd>& volumes,
                        bool passable);
// Opens the bundle for path lookups. NOT_FOUND where there is none.
absl::StatusOr<base::UniqueFd> OpenBundle(const Place& place);
// Writes a new file in the bundle, for root alone.
absl::Status WriteBundleFile(const Place& place, const std::string& name, absl::string_view text);
absl::StatusOr<std::string> ReadBundleFile(const Place& place, const std::string& name);
// Deletes it, with the directories above it that become empty. Mounts of this process below it are
// detached first. Missing is success.
absl::Status RemoveBundle(const Place& place);

}  // namespace bulkhead::container
