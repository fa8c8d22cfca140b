#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace bulkhead::worker {

// From here on the process may use this many seconds of CPU time in all; then SIGXCPU kills it. It cannot take that
// back. 0: no limit.
absl::Status LimitCpu(uint32_t seconds);

}  // namespace bulkhead::worker
