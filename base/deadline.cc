#include "base/deadline.h"

#include <time.h>

namespace bulkhead::base {

absl::Duration Deadline::Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace bulkhead::base
