#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "schema/worker/check.capnp.h"

namespace bulkhead::worker {

// Sets all of result but its status, which is what it returns. layers: the directory of the layers,
// open.
absl::Status RunCheckJob(schema::CheckJob::Reader job, absl::Span<const base::UniqueFd> fds,
                         int layers, schema::CheckResult::Builder result);

}  // namespace bulkhead::worker
