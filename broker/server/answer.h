#pragma once

#include <kj/async.h>

#include "absl/status/statusor.h"
#include "broker/fiber.h"
#include "ipc/status_codec.h"

namespace bulkhead::broker {

inline constexpr size_t kMaxCallsInFlight = 256;

template <typename Results, typename Fill>
void WriteOutcome(Results results, absl::Status& outcome, Fill& fill) {
  ipc::WriteStatus(outcome, results.initStatus());
  if (outcome.ok()) fill(results);
}

template <typename Results, typename T, typename Fill>
void WriteOutcome(Results results, absl::StatusOr<T>& outcome, Fill& fill) {
  ipc::WriteStatus(outcome.status(), results.initStatus());
  if (outcome.ok()) fill(results, *outcome);
}

// The body of every RPC: runs operation(Fiber&) -> Status or StatusOr<T>, writes its status, and
// has fill(results, T) write the rest. Above the limit the answer is RESOURCE_EXHAUSTED at once, so
// that a flood queues nothing (B9).
template <typename Context, typename Operation, typename Fill>
kj::Promise<void> Answer(Loop& loop, Context context, Operation operation, Fill fill) {
  if (loop.operations() >= kMaxCallsInFlight) {
    ipc::WriteStatus(absl::ResourceExhaustedError("the broker is busy: too many calls at once"),
                     context.getResults().initStatus());
    return kj::READY_NOW;
  }
  return loop.Run(kj::mv(operation)).then([context, fill = kj::mv(fill)](auto&& outcome) mutable {
    WriteOutcome(context.getResults(), outcome, fill);
  });
}

template <typename Context, typename Operation>
kj::Promise<void> Answer(Loop& loop, Context context, Operation operation) {
  return Answer(loop, context, kj::mv(operation), [](auto&&...) {});
}

}  // namespace bulkhead::broker
