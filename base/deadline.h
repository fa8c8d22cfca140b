#pragma once

#include <algorithm>
#include <limits>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace bulkhead::base {

// A point on CLOCK_MONOTONIC, so that a step of the wall clock cannot shorten or stretch a wait (F20).
class Deadline {
 public:
  static Deadline After(absl::Duration d) { return Deadline(Now() + d); }
  static Deadline Never() { return Deadline(absl::InfiniteDuration()); }

  absl::Duration Remaining() const { return std::max(at_ - Now(), absl::ZeroDuration()); }
  bool Passed() const { return Remaining() == absl::ZeroDuration(); }
  // For poll(2): milliseconds, rounded up, -1 for never.
  int PollTimeout() const {
    if (at_ == absl::InfiniteDuration()) return -1;
    return static_cast<int>(std::min<int64_t>(
        absl::ToInt64Milliseconds(Remaining() + absl::Microseconds(999)),
        std::numeric_limits<int>::max()));
  }

 private:
  explicit Deadline(absl::Duration at) : at_(at) {}
  static absl::Duration Now();
  absl::Duration at_;
};

}  // namespace bulkhead::base
