#pragma once

#include <sys/types.h>

#include <array>
#include <list>
#include <memory>

#include "absl/status/status.h"
#include "base/deadline.h"
#include "base/unique_fd.h"
#include "schema/monitor.capnp.h"
#include "worker/monitor/attachments.h"
#include "worker/monitor/log_writer.h"

namespace bulkhead::monitor {

// What the monitor starts with. Streams, log, stdin and memory events may be empty.
struct Start {
  // A child of the caller: the container's first process, or that one's parent, which ends after it
  // with its exit code.
  pid_t pid = -1;
  uid_t broker_uid = 0;
  base::UniqueFd listen;
  base::UniqueFd pidfd;
  base::UniqueFd out;  // stdout, or the terminal
  base::UniqueFd err;
  base::UniqueFd log;
  base::UniqueFd in;             // held so that the container's stdin stays open
  bool tty = false;              // out and in are its terminal
  bool stdin_once = false;       // its input ends with the first attached client's
  base::UniqueFd memory_events;  // memory.events, or memory.oom_control on cgroup v1: both have a
                                 // line oom_kill
};

// Follows one container from its creation until its exit code is acknowledged: output into the log,
// exit code and times to whoever of the broker's uid connects (schema/monitor.capnp).
// Single-threaded.
class Monitor {
 public:
  explicit Monitor(Start start);
  // Returns when the container has ended and the broker has acknowledged it. Error: the event loop
  // cannot be made.
  absl::Status Run();

 private:
  struct Connection {
    base::UniqueFd socket;
    bool watching = false;
    bool closed = false;
  };

  absl::Status Prepare();
  int Patience() const;  // of the event loop, in milliseconds
  void Rest();
  absl::Status Watch(int fd, uint64_t tag);
  void Handle(uint64_t tag);
  bool Done() const { return announced_ && acknowledged_; }

  void ReadStream(Stream stream);
  void CloseStream(Stream stream);
  void Reap();
  void RecordExit(int exit_code);
  void PidfdReadable();
  void MaybeAnnounce();

  void Accept();
  void ReadRequest(Connection& connection);
  void Answer(Connection& connection, schema::MonitorRequest::Reader request,
              std::vector<base::UniqueFd>& fds);
  void MarkStarted();
  void Attach(schema::MonitorRequest::Attach::Reader request, std::vector<base::UniqueFd>& fds);
  void ReopenLog(std::vector<base::UniqueFd>& fds);
  void TellOfLoss();
  void SendState(Connection& connection, bool with_pidfd);
  void Broadcast();
  void DropClosed();

  const pid_t pid_;
  const uid_t broker_uid_;
  base::UniqueFd listen_;
  base::UniqueFd pidfd_;
  std::array<base::UniqueFd, 2> streams_;
  Attachments attachments_;
  base::UniqueFd memory_events_;
  LogWriter log_;
  base::UniqueFd epoll_;
  base::UniqueFd signals_;
  std::list<Connection> connections_;

  schema::MonitorState::State state_ = schema::MonitorState::State::CREATED;
  std::unique_ptr<char[]> buffer_;  // what is read of a stream; absent while resting
  bool resting_ = false;            // memory was given back, and nothing has happened since
  bool exited_ = false;             // the process is gone
  bool announced_ = false;          // its output is written as well, so watchers know
  bool acknowledged_ = false;
  int exit_code_ = 0;
  bool oom_killed_ = false;
  uint32_t reopened_ = 0;  // log files taken, and refused
  uint32_t refused_ = 0;
  uint64_t told_dropped_ = 0;  // lost output that watchers know of
  int64_t started_at_ns_ = 0;
  int64_t finished_at_ns_ = 0;
  base::Deadline drain_ = base::Deadline::Never();
  // For the end of the first process's parent, after its own.
  base::Deadline parent_ = base::Deadline::Never();
};

}  // namespace bulkhead::monitor
