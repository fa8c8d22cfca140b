#pragma once

#include <vector>

#include "base/unique_fd.h"
#include "schema/worker/network.capnp.h"

namespace bulkhead::network {

// Opens the configuration files for confDir, which are returned, or serves requests on the one fd
// of the job until the cni worker has closed its end. run: fd of <run_dir>. Fills the whole result.
std::vector<base::UniqueFd> RunNetworkJob(schema::NetworkJob::Reader job,
                                          std::vector<base::UniqueFd> fds, int run,
                                          schema::NetworkResult::Builder result);

}  // namespace bulkhead::network
