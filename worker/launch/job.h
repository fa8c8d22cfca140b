#pragma once

#include <memory>
#include <vector>

#include "base/unique_fd.h"
#include "schema/worker/launch.capnp.h"
#include "worker/launch/create.h"

namespace bulkhead::launch {

// Does what the job says and fills result. root, run: fds of <root_dir> and <run_dir>, the
// caller's. After a successful create, returns the container, which the caller must hand to a
// monitor; nullptr otherwise.
std::unique_ptr<Created> RunLaunchJob(schema::LaunchJob::Reader job,
                                      std::vector<base::UniqueFd> fds, int root, int run,
                                      schema::LaunchResult::Builder result);

}  // namespace bulkhead::launch
