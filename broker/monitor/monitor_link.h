#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "broker/fiber.h"
#include "schema/monitor.capnp.h"

namespace bulkhead::broker {

// A socket on which the monitor of this container will listen, at <run_dir>/monitor/<container id>;
// the broker's working directory is <run_dir>/monitor, so that no path grows too long for a socket.
// Replaces a stale one.
absl::StatusOr<base::UniqueFd> ListenForMonitor(const std::string& container_id);
// UNAVAILABLE: nobody listens.
absl::StatusOr<base::UniqueFd> ConnectToMonitor(const std::string& container_id);
void RemoveMonitorSocket(const std::string& container_id);

// The broker's connection to one container's monitor, watching it until it ends.
class MonitorLink {
 public:
  struct Exit {
    bool lost = false;  // the monitor died before it told
    int code = 0;
    bool oom_killed = false;
    int64_t finished_at_ns = 0;
    uint64_t lost_log_bytes = 0;
  };
  // Called once, in the loop, when the container has ended; then the monitor may be told to go
  // (Acknowledge).
  using ExitHandler = std::function<void(const Exit&)>;

  // UNAVAILABLE: nobody listens. The first answer, with the pidfd, is awaited (5 s).
  static absl::StatusOr<std::shared_ptr<MonitorLink>> Connect(Fiber& fiber,
                                                              const std::string& container_id,
                                                              ExitHandler on_exit);
  // A link to nobody, for a container that ended before this broker began.
  static std::shared_ptr<MonitorLink> Ended();

  bool exited() const { return exited_; }
  int pidfd() const { return pidfd_.get(); }
  bool running() const { return running_; }
  // Output that its log did not take.
  uint64_t lost_log_bytes() const { return lost_log_bytes_; }
  // False where time ran out first.
  bool WaitForExit(Fiber& fiber, absl::Duration limit);
  absl::Status TellStarted(Fiber& fiber);
  struct Attached {
    bool in = false;
    bool out = false;
    bool err = false;
  };
  // Gives the monitor its end of an attached client (ipc/attach_protocol.h); it stays the caller's.
  absl::Status Attach(Fiber& fiber, const Attached& wanted, int socket);
  // Hands the monitor another log file, opened for appending; the caller's stays open. Success:
  // nothing goes to the old one any more. UNAVAILABLE: it has ended meanwhile.
  absl::Status ReopenLog(Fiber& fiber, int log);
  absl::Status Acknowledge(Fiber& fiber);

 private:
  MonitorLink();
  absl::Status Request(Fiber& fiber, std::function<void(schema::MonitorRequest::Builder)> fill,
                       absl::Span<const int> fds = {});
  // Takes one answer; true where it was the last of interest.
  absl::StatusOr<bool> TakeState(Fiber& fiber, base::Deadline deadline);
  void Watch(Fiber& fiber);
  void AwaitEnd(Fiber& fiber);
  void Finish(const Exit& exit);
  void NoteState(schema::MonitorState::Reader state);

  std::string name_;       // the container's id
  base::UniqueFd socket_;  // read by the watching fiber
  base::UniqueFd writer_;  // the same socket: an event loop can wait for an fd only once
  base::UniqueFd pidfd_;
  bool running_ = false;
  bool exited_ = false;
  uint64_t lost_log_bytes_ = 0;
  uint32_t reopened_ = 0, refused_ = 0;  // answers to ReopenLog
  FiberMutex reopening_;
  kj::Own<kj::PromiseFulfiller<void>> heard_;  // who waits for the next word
  ExitHandler on_exit_;
  kj::Own<kj::PromiseFulfiller<void>> exit_fulfiller_;
  kj::ForkedPromise<void> exit_promise_;
};

}  // namespace bulkhead::broker
