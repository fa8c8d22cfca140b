#pragma once

#include <memory>
#include <vector>

#include "base/unique_fd.h"
#include "schema/worker/launch.capnp.h"
#include "worker/container/create.h"
#include "worker/container/exec_stream.h"
#include "worker/container/runtime.h"

namespace bulkhead::container {

// What outlives the answer: at most one of the two.
struct Lasting {
  std::unique_ptr<Created> created;    // the caller must hand it to a monitor
  std::unique_ptr<StreamedExec> exec;  // the caller must give its descriptors away, and serve it
};

// Does what the job says and fills result. root, run: fds of <root_dir> and <run_dir>, the
// caller's.
Lasting RunLaunchJob(schema::LaunchJob::Reader job, std::vector<base::UniqueFd> fds, int root,
                     int run, const OpenRuntime& open, schema::LaunchResult::Builder result);

}  // namespace bulkhead::container
