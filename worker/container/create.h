#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "schema/worker/launch.capnp.h"
#include "worker/container/place.h"
#include "worker/container/runtime.h"

namespace bulkhead::container {

// A container that the runtime has created. Unless kept, destroying this destroys the container:
// its processes, runtime state, cgroup and bundle.
class Created {
 public:
  Created(Place place, std::unique_ptr<Runtime> runtime, schema::Host::CgroupMode mode,
          std::string cgroup);
  ~Created();
  Created(const Created&) = delete;
  Created& operator=(const Created&) = delete;

  // From now on the monitor's.
  void Keep() { kept_ = true; }

  const Place& place() const { return place_; }
  Runtime& runtime() { return *runtime_; }

  pid_t pid = -1;    // the first process
  pid_t child = -1;  // whom to wait for: the same, or its parent
  bool terminal = false;
  bool stdin_once = false;
  std::string config_digest;  // 32 bytes
  // What the monitor gets; empty where there is none.
  base::UniqueFd pidfd, listen, out, err, in, log, memory_events;

 private:
  const Place place_;
  const std::unique_ptr<Runtime> runtime_;
  const schema::Host::CgroupMode mode_;
  const std::string cgroup_;
  bool kept_ = false;
};

// fds: as schema/worker/launch.capnp says for create. Makes this process a subreaper, and so the
// parent of the container's first process. On failure nothing is left.
absl::StatusOr<std::unique_ptr<Created>> CreateContainer(schema::LaunchJob::Reader job,
                                                         std::vector<base::UniqueFd> fds,
                                                         const Place& place,
                                                         const OpenRuntime& open);

}  // namespace bulkhead::container
