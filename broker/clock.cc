#include "absl/time/clock.h"
#include "broker/broker.h"

namespace bulkhead::broker {

int64_t WallClockNs() { return absl::GetCurrentTimeNanos(); }

}  // namespace bulkhead::broker
