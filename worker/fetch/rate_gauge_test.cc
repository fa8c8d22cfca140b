#include "worker/fetch/rate_gauge.h"

#include <gtest/gtest.h>

#include "worker/fetch/back_off.h"

namespace bulkhead::worker {
namespace {

TEST(RateGauge, EachWindowCounts) {
  RateGauge gauge({.bytes_per_second = 10, .window = absl::Seconds(10)});
  absl::Duration begin = MonotonicNow();
  EXPECT_FALSE(gauge.TooSlow(begin + absl::Seconds(9), 0)) << "not over yet";
  EXPECT_FALSE(gauge.TooSlow(begin + absl::Seconds(11), 1000));
  EXPECT_FALSE(gauge.TooSlow(begin + absl::Seconds(20), 1000));
  EXPECT_TRUE(gauge.TooSlow(begin + absl::Seconds(22), 1050)) << "what came before does not help";
}

TEST(RateGauge, NoRule) {
  RateGauge gauge({.bytes_per_second = 0, .window = absl::Seconds(1)});
  EXPECT_FALSE(gauge.TooSlow(MonotonicNow() + absl::Hours(1), 0));
}

TEST(BackOff, GrowsAndIsBounded) {
  absl::Duration long_time = absl::Hours(1);
  absl::Duration first = *WaitBefore(1, absl::ZeroDuration(), long_time);
  EXPECT_GE(first, absl::Milliseconds(500));
  EXPECT_LE(first, absl::Milliseconds(630));
  EXPECT_GE(*WaitBefore(3, absl::ZeroDuration(), long_time), absl::Seconds(2));
  EXPECT_LE(*WaitBefore(1000, absl::ZeroDuration(), long_time), absl::Seconds(13));
  EXPECT_EQ(*WaitBefore(1, absl::Seconds(30), long_time), absl::Seconds(30));
  EXPECT_FALSE(WaitBefore(1, absl::Seconds(121), long_time).ok());
  EXPECT_FALSE(WaitBefore(1, absl::Seconds(30), absl::Seconds(20)).ok());
  EXPECT_FALSE(WaitBefore(5, absl::ZeroDuration(), absl::Seconds(1)).ok());
}

}  // namespace
}  // namespace bulkhead::worker
