#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "schema/config.capnp.h"

namespace bulkhead::frontend {

// What the frontend needs to know of the node's configuration, as plain values: gRPC threads read
// it side by side, which Cap'n Proto readers do not allow.
struct Node {
  struct Runtime {
    std::string name;
    std::string version;  // empty: the program was not found
    std::string path = {};
    std::string oci_version_max = {};  // empty: it does not say
  };
  struct ImageRule {
    std::string pattern;
    std::string runtime;
  };

  std::string root_dir;
  std::string run_dir;
  std::vector<Runtime> runtimes;
  std::string default_runtime;
  std::vector<ImageRule> image_rules;
  std::vector<uid_t> allowed_uids;  // besides root
  std::string kernel;
  std::string cgroup_mode;  // "v1", "hybrid", "v2"
  bool systemd_cgroups = false;
};

Node ToNode(schema::Config::Reader config);

// Reads the configuration from the sealed memfd that the supervisor handed over.
absl::StatusOr<Node> ReadNode(int memfd);

}  // namespace bulkhead::frontend
