#include "worker/fetch/back_off.h"

#include <sys/random.h>

#include <algorithm>

namespace bulkhead::worker {
namespace {

constexpr absl::Duration kFirstWait = absl::Milliseconds(500);
constexpr absl::Duration kLongestWait = absl::Seconds(10);
constexpr absl::Duration kLongestAsked = absl::Minutes(2);

// 1.0 to 1.25
double Spread() {
  unsigned char byte = 0;
  if (getrandom(&byte, 1, GRND_NONBLOCK) != 1) return 1.0;
  return 1.0 + byte / 1024.0;
}

}  // namespace

absl::StatusOr<absl::Duration> WaitBefore(int failures, absl::Duration asked, absl::Duration left) {
  absl::Duration wait = std::min(kFirstWait * (1 << std::min(failures - 1, 10)), kLongestWait);
  wait = std::max(wait * Spread(), asked);
  if (asked > kLongestAsked || wait >= left) {
    return absl::DeadlineExceededError("has to wait too long");
  }
  return wait;
}

}  // namespace bulkhead::worker
