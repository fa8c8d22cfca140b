#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "schema/worker/launch.capnp.h"

// The OCI config.json (runtime-spec 1.0.2) of a container, as a pure function of the job's typed
// fields and of facts about the node. No annotation, hook or string of an image or pod has a way
// into it but through a field named here.
namespace bulkhead::container {

// A device node of the container.
struct DeviceFacts {
  std::string path;  // in the container
  std::string host;  // on the node
  char type = 'c';   // 'c' or 'b'
  unsigned major = 0;
  unsigned minor = 0;
  mode_t mode = 0666;  // permission bits
  uid_t uid = 0;
  gid_t gid = 0;
  std::string access;  // a subset of "rwm"
};

struct Facts {
  std::string container_id;
  std::string bundle;                // absolute path
  std::string pod_directory;         // absolute path of the pod's pins
  uint64_t bounding = ~uint64_t{0};  // capabilities that this node can give at all
  int lowest_oom_score_adj = -1000;  // what may be set without CAP_SYS_RESOURCE
  bool cgroup_v2 = false;
  bool has_hugetlb =
      false;  // whether the controllers are there: limits for absent ones are left out
  bool has_swap_limit = false;
  bool has_resolv_conf = false;  // whether the pod has these files
  bool has_hostname = false;
  size_t volumes = 0;  // how many came with the job
  std::vector<DeviceFacts> devices;
  int target_pid = 0;  // whose pid namespace is joined, where the spec says target
};

// Serialises; INVALID_ARGUMENT where a string is no UTF-8, which JSON cannot carry.
absl::StatusOr<std::string> Serialize(const nlohmann::json& document);

// INVALID_ARGUMENT names the field that is wrong; UNIMPLEMENTED what is not supported yet.
absl::StatusOr<nlohmann::json> ConfigObject(schema::ContainerSpec::Reader spec, const Facts& facts);
// The same, serialised.
absl::StatusOr<std::string> ConfigJson(schema::ContainerSpec::Reader spec, const Facts& facts);

// process.json for the runtime's exec; the same checks and the same code as for create.
// message_queues: its bound in bytes (process_tree.h); 0: as the runtime has it.
absl::StatusOr<std::string> ProcessJson(schema::Process::Reader process, const Facts& facts,
                                        uint64_t message_queues = 0);

}  // namespace bulkhead::container
