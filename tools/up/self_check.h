#pragma once

#include <string>

#include "absl/time/time.h"
#include "base/deadline.h"
#include "base/unique_fd.h"

namespace bulkhead::tools {

// Tells the service manager's watchdog that the runtime works, but only while the broker and the
// frontend answer: each tick asks both, and the next one looks for the answers, so that nobody is
// waited for. (sd_watchdog_enabled(3))
class SelfCheck {
 public:
  // The tag of the question on the broker's control socket, and of the answer.
  static constexpr char kAlive = 'A';

  // cri_socket: the path that the frontend serves. Does nothing where $WATCHDOG_USEC and
  // $WATCHDOG_PID do not name this process.
  explicit SelfCheck(std::string cri_socket);

  // When Tick wants to be called.
  base::Deadline next() const { return next_; }
  // broker_control: SOCK_SEQPACKET, where nothing but answers comes once the broker is ready.
  // True: both have answered, and the manager was told.
  bool Tick(int broker_control);
  // The processes that were asked are gone.
  void Forget();

 private:
  void Ask(int broker_control);

  std::string cri_socket_;
  absl::Duration interval_ = absl::ZeroDuration();
  base::Deadline next_ = base::Deadline::Never();
  base::UniqueFd frontend_;  // a connection that waits for the server's first bytes
  bool asked_broker_ = false;
};

}  // namespace bulkhead::tools
