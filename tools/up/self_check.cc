#include "tools/up/self_check.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "tools/up/sockets.h"

namespace bulkhead::tools {
namespace {

// An HTTP/2 client's first bytes: the preface and an empty SETTINGS frame. A server answers with
// its own. (RFC 9113, 3.4)
constexpr absl::string_view kHello(
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    "\0\0\0\4\0\0\0\0\0",
    33);

// Four ticks in the time after which the manager acts: one answer may be late, and one be lost with
// a process that was started anew.
absl::Duration Interval() {
  const char* microseconds = getenv("WATCHDOG_USEC");
  const char* pid = getenv("WATCHDOG_PID");
  int64_t limit = 0, who = 0;
  if (microseconds == nullptr || !absl::SimpleAtoi(microseconds, &limit) || limit <= 0) {
    return absl::ZeroDuration();
  }
  if (pid != nullptr && (!absl::SimpleAtoi(pid, &who) || who != getpid())) {
    return absl::ZeroDuration();
  }
  return absl::Microseconds(limit) / 4;
}

bool AnyByte(int socket) {
  char byte;
  return recv(socket, &byte, 1, MSG_DONTWAIT) == 1;
}

}  // namespace

SelfCheck::SelfCheck(std::string cri_socket)
    : cri_socket_(std::move(cri_socket)), interval_(Interval()) {
  if (interval_ > absl::ZeroDuration()) next_ = base::Deadline::After(absl::ZeroDuration());
}

bool SelfCheck::Tick(int broker_control) {
  next_ = base::Deadline::After(interval_);
  const bool first = !asked_broker_;
  const bool broker = asked_broker_ && AnyByte(broker_control);
  const bool frontend = frontend_ && AnyByte(frontend_.get());
  if (broker && frontend) NotifyManager("WATCHDOG=1");
  if (!first && !(broker && frontend)) {
    base::Log(
        base::Severity::kWarning, "the watchdog is not told: a process does not answer",
        {{"broker", broker ? "answers" : "silent"}, {"frontend", frontend ? "answers" : "silent"}});
  }
  Ask(broker_control);
  return broker && frontend;
}

void SelfCheck::Ask(int broker_control) {
  asked_broker_ = send(broker_control, &kAlive, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
  frontend_.Reset();
  absl::StatusOr<base::UniqueFd> connection = ConnectTo(cri_socket_);
  if (!connection.ok()) return;
  if (send(connection->get(), kHello.data(), kHello.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
      static_cast<ssize_t>(kHello.size())) {
    frontend_ = *std::move(connection);
  }
}

void SelfCheck::Forget() {
  asked_broker_ = false;
  frontend_.Reset();
}

}  // namespace bulkhead::tools
