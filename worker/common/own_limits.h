#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace bulkhead::worker {

// From here on the process may use this many seconds of CPU time in all; then SIGXCPU kills it. It
// cannot take that back. 0: no limit.
absl::Status LimitCpu(uint32_t seconds);

// The same for memory of the process's own, in bytes: the cgroup's limit counts the page cache of
// what is written as well. Going over it ends the process with kOutOfMemoryExit.
absl::Status LimitMemory(uint64_t bytes);
inline constexpr int kOutOfMemoryExit = 3;

}  // namespace bulkhead::worker
