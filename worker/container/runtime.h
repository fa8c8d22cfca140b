#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "schema/worker/launch.capnp.h"
#include "worker/container/config.h"
#include "worker/container/place.h"
#include "worker/container/run.h"

namespace bulkhead::container {

// What makes the container's first process and lets it run; all else of a container's life is the
// same whatever the runtime. One for one container and one job.
class Runtime {
 public:
  virtual ~Runtime() = default;

  struct Creation {
    schema::ContainerSpec::Reader spec;
    const Facts& facts;
    const nlohmann::json& config;  // what config.json says
    Streams streams;               // the container's ends
    std::string console;           // socket that wants the terminal; empty: none
  };
  struct Made {
    pid_t first = -1;  // the container's first process
    pid_t child = -1;  // this process's child whose end tells first's; the same, or first's parent
  };
  // Makes the container up to where its program would be executed. INVALID_ARGUMENT names a field
  // that this runtime cannot honour; nothing is dropped in silence.
  virtual absl::StatusOr<Made> Create(const Creation& creation) = 0;
  // Executes the program. FAILED_PRECONDITION says why that is not possible.
  virtual absl::Status Start() = 0;
  // After the first look at the process that runs: what can be given up now, is.
  virtual absl::Status Settle() { return absl::OkStatus(); }
  virtual void Kill() = 0;
  // Forgets the container; with force, ends it first.
  virtual absl::Status Delete(bool force) = 0;

  // A command in the container: a child that ends as the command does. mark: see process_tree.h.
  virtual absl::StatusOr<Run> Exec(schema::Process::Reader process, uint64_t mark,
                                   const Streams& streams) = 0;
  // The same, but answers once the command runs, as a child of this process.
  virtual absl::StatusOr<pid_t> ExecDetached(schema::Process::Reader process,
                                             const Streams& streams,
                                             const std::string& console) = 0;
};

using OpenRuntime = std::function<absl::StatusOr<std::unique_ptr<Runtime>>(
    schema::LaunchJob::Reader job, const Place& place)>;

}  // namespace bulkhead::container
