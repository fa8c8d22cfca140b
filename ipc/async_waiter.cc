#include "ipc/async_waiter.h"

#include <utility>

namespace bulkhead::ipc {
namespace {

using Observer = kj::UnixEventPort::FdObserver;

// Never from kj's own clock reading, which stands still while a turn of the loop runs.
kj::Promise<void> Expiry(kj::Timer& timer, base::Deadline deadline) {
  const absl::Duration left = deadline.Remaining();
  if (left == absl::InfiniteDuration()) return kj::NEVER_DONE;
  return timer.afterDelay(absl::ToInt64Nanoseconds(left) * kj::NANOSECONDS)
      .then([&timer, deadline]() -> kj::Promise<void> {
        if (deadline.Passed()) return kj::READY_NOW;
        return Expiry(timer, deadline);
      });
}

}  // namespace

absl::Status AsyncWaiter::Wait(kj::Promise<void> ready, base::Deadline deadline) {
  if (deadline.Passed()) return absl::DeadlineExceededError("wait for a socket");
  const bool in_time = ready.then([] { return true; })
                           .exclusiveJoin(Expiry(timer_, deadline).then([] { return false; }))
                           .wait(fiber_);
  if (in_time) return absl::OkStatus();
  return absl::DeadlineExceededError("wait for a socket");
}

absl::Status AsyncWaiter::Readable(int fd, base::Deadline deadline) {
  // Edge-triggered, but adding the fd reports what is ready already.
  Observer observer(port_, fd, Observer::OBSERVE_READ);
  return Wait(observer.whenBecomesReadable(), deadline);
}

absl::Status AsyncWaiter::Writable(int fd, base::Deadline deadline) {
  Observer observer(port_, fd, Observer::OBSERVE_WRITE);
  return Wait(observer.whenBecomesWritable(), deadline);
}

}  // namespace bulkhead::ipc
