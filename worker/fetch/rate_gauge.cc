#include "worker/fetch/rate_gauge.h"

#include <time.h>

namespace bulkhead::worker {

absl::Duration MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

bool RateGauge::TooSlow(absl::Duration now, uint64_t bytes) {
  if (rule_.bytes_per_second == 0 || now - begin_ < rule_.window) return false;
  double share = rule_.bytes_per_second * absl::ToDoubleSeconds(now - begin_);
  bool slow = static_cast<double>(bytes - before_) < share;
  begin_ = now;
  before_ = bytes;
  return slow;
}

}  // namespace bulkhead::worker
