#pragma once

#include <vector>

#include "absl/status/status.h"
#include "base/unique_fd.h"
#include "schema/worker/nodeconfig.capnp.h"

namespace bulkhead::worker {

inline constexpr size_t kMaxConfigBytes = 1 << 20;

// Parses what the fds hold (schema/worker/nodeconfig.capnp).
absl::Status RunNodeconfigJob(schema::NodeconfigJob::Reader job,
                              const std::vector<base::UniqueFd>& fds,
                              schema::NodeconfigResult::Builder result);

}  // namespace bulkhead::worker
