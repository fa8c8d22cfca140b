#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "schema/worker/launch.capnp.h"
#include "worker/container/config.h"

// liblxc's configuration of a container, from what its config.json says. The latter is made of
// typed fields (worker/container/config.h); each part of it has a counterpart here or is refused,
// with the name of the field that asked for it. docs/lxc.md has the list.
namespace bulkhead::lxc {

// Where in the root file system a mount goes, without links. Relative to the root.
class MountPoints {
 public:
  virtual ~MountPoints() = default;
  // Made where it is missing: a directory, or a file, as source is.
  virtual absl::StatusOr<std::string> Make(const std::string& destination,
                                           const std::string& source) = 0;
  virtual absl::StatusOr<std::string> MakeDirectory(const std::string& destination) = 0;
  struct Found {
    std::string path;
    bool directory = false;
  };
  // nullopt: nothing is there.
  virtual absl::StatusOr<std::optional<Found>> Find(const std::string& path) = 0;
};

struct Inputs {
  schema::ContainerSpec::Reader spec;
  const container::Facts& facts;
  const nlohmann::json& config;
  std::string program;  // of the hook that waits for the start: absolute
  std::string cgroup;   // absolute
  int net_pid = 0;      // a process in the node's network
  int library_major = 5;
};

// Names in the bundle.
inline constexpr char kLxcConfig[] = "lxc.conf";
inline constexpr char kSeccompPolicy[] = "lxc.seccomp";
inline constexpr char kRootMount[] = "lxc-root";
inline constexpr char kLibraryLog[] = "lxc.log";

// The file that liblxc reads. The environment is not in it: values may hold line ends, and go to
// the library as they are. INVALID_ARGUMENT names the field that liblxc cannot honour.
absl::StatusOr<std::string> LxcConfig(const Inputs& inputs, MountPoints& mount_points);

// The cgroup in which the library's own process is for a moment, and where it goes when a start
// fails.
std::string KeeperCgroup(const std::string& cgroup);
std::string PivotCgroup(const std::string& cgroup);

}  // namespace bulkhead::lxc
