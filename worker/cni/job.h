#pragma once

#include <vector>

#include "base/unique_fd.h"
#include "schema/worker/cni.capnp.h"

namespace bulkhead::cni {

// Does the job and fills the whole result. attempted is not 0 after a good add, and after a failed
// one that could not be undone: then del is still owed.
void RunCniJob(schema::CniJob::Reader job, std::vector<base::UniqueFd> fds,
               schema::CniResult::Builder result);

}  // namespace bulkhead::cni
