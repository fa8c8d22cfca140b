#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "worker/fetch/request.h"

namespace bulkhead::worker {

// Time since some start; a step of the wall clock moves nothing.
absl::Duration MonotonicNow();

// Watches one transfer: each window must bring its share of bytes. Bytes that trickle, or come in
// bursts with long silence between, are measured alike.
class RateGauge {
 public:
  explicit RateGauge(RateRule rule) : rule_(rule), begin_(MonotonicNow()) {}

  // bytes: of the whole transfer up to now. True: a window is over that brought too few.
  bool TooSlow(absl::Duration now, uint64_t bytes);

 private:
  RateRule rule_;
  absl::Duration begin_;
  uint64_t before_ = 0;
};

}  // namespace bulkhead::worker
