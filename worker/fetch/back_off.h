#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace bulkhead::worker {

// How often one thing is asked for in a row without getting further.
inline constexpr int kMaxAttempts = 4;
inline constexpr int kMaxAttemptsWithOthers = 2;  // where another endpoint can be asked

// How long to wait after so many failures (1 or more): twice as long each time, a little by chance
// so that many nodes do not come back together, and at least as long as the registry asked for.
// DEADLINE_EXCEEDED: it asks for more than two minutes or than is left.
absl::StatusOr<absl::Duration> WaitBefore(int failures, absl::Duration asked, absl::Duration left);

}  // namespace bulkhead::worker
