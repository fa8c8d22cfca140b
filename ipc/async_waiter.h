#pragma once

#include <kj/async-unix.h>
#include <kj/timer.h>

#include "ipc/message.h"

namespace bulkhead::ipc {

// Waits inside a kj fiber while the event loop goes on. An fd must not be waited for by two at the
// same time, nor be part of a kj stream: epoll holds each once. Everything given must outlive it;
// one for each fiber. Cancelling the fiber unwinds it by an exception: clean up by destructors.
class AsyncWaiter : public Waiter {
 public:
  AsyncWaiter(kj::UnixEventPort& port, kj::WaitScope& fiber, kj::Timer& timer)
      : port_(port), fiber_(fiber), timer_(timer) {}
  absl::Status Readable(int fd, base::Deadline deadline) override;
  absl::Status Writable(int fd, base::Deadline deadline) override;

 private:
  absl::Status Wait(kj::Promise<void> ready, base::Deadline deadline);

  kj::UnixEventPort& port_;
  kj::WaitScope& fiber_;
  kj::Timer& timer_;
};

}  // namespace bulkhead::ipc
