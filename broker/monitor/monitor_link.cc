#include "broker/monitor/monitor_link.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/status.h"
#include "ipc/guard.h"
#include "ipc/message.h"

namespace bulkhead::broker {
namespace {

sockaddr_un AddressOf(const std::string& container_id) {
  sockaddr_un address = {.sun_family = AF_UNIX};
  container_id.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

base::Deadline Soon() { return base::Deadline::After(absl::Seconds(5)); }

}  // namespace

absl::StatusOr<base::UniqueFd> ListenForMonitor(const std::string& container_id) {
  RemoveMonitorSocket(container_id);
  base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return base::ErrnoStatus("make the monitor's socket");
  sockaddr_un address = AddressOf(container_id);
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) {
    return base::ErrnoStatus("bind the monitor's socket");
  }
  if (listen(socket.get(), 8) < 0) return base::ErrnoStatus("listen on the monitor's socket");
  return socket;
}

absl::StatusOr<base::UniqueFd> ConnectToMonitor(const std::string& container_id) {
  base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return base::ErrnoStatus("make a socket");
  sockaddr_un address = AddressOf(container_id);
  if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) {
    return absl::UnavailableError(
        base::ErrnoStatus("connect to the container's monitor").message());
  }
  return socket;
}

void RemoveMonitorSocket(const std::string& container_id) { unlink(container_id.c_str()); }

MonitorLink::MonitorLink() : exit_promise_(kj::Promise<void>(kj::READY_NOW).fork()) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  exit_fulfiller_ = kj::mv(paf.fulfiller);
  exit_promise_ = paf.promise.fork();
}

std::shared_ptr<MonitorLink> MonitorLink::Ended() {
  std::shared_ptr<MonitorLink> link(new MonitorLink());
  link->exited_ = true;
  link->exit_fulfiller_->fulfill();
  return link;
}

absl::StatusOr<std::shared_ptr<MonitorLink>> MonitorLink::Connect(Fiber& fiber,
                                                                  const std::string& container_id,
                                                                  ExitHandler on_exit) {
  std::shared_ptr<MonitorLink> link(new MonitorLink());
  link->name_ = container_id;
  BULKHEAD_ASSIGN_OR_RETURN(link->socket_, ConnectToMonitor(container_id));
  BULKHEAD_ASSIGN_OR_RETURN(link->writer_, base::Duplicate(link->socket_.get()));
  BULKHEAD_RETURN_IF_ERROR(
      link->Request(fiber, [](schema::MonitorRequest::Builder r) { r.setWatch(); }));
  link->on_exit_ = std::move(on_exit);
  BULKHEAD_ASSIGN_OR_RETURN(bool done, link->TakeState(fiber, Soon()));
  if (!done) {
    fiber.loop().Stay([link](Fiber& watcher) { link->Watch(watcher); });
  }
  return link;
}

absl::Status MonitorLink::Request(Fiber& fiber,
                                  std::function<void(schema::MonitorRequest::Builder)> fill,
                                  absl::Span<const int> fds) {
  if (!writer_) return absl::UnavailableError("the container's monitor is gone");
  capnp::MallocMessageBuilder message(16);
  fill(message.initRoot<schema::MonitorRequest>());
  return ipc::Send(writer_.get(), message, fds, Soon(), fiber.waiter());
}

absl::StatusOr<bool> MonitorLink::TakeState(Fiber& fiber, base::Deadline deadline) {
  // The first answer alone carries an fd.
  BULKHEAD_ASSIGN_OR_RETURN(
      ipc::Received answer,
      ipc::Receive(socket_.get(), ipc::Limits{.max_bytes = 4096, .max_fds = pidfd_ ? 0 : 1},
                   deadline, fiber.waiter()));
  if (!pidfd_ && answer.fds().size() == 1) pidfd_ = std::move(answer.fds()[0]);
  bool done = false;
  BULKHEAD_RETURN_IF_ERROR(ipc::Guarded([&] {
    auto state = answer.As<schema::MonitorState>();
    NoteState(state);
    done = state.getState() == schema::MonitorState::State::EXITED;
    if (done) {
      Finish({.code = state.getExitCode(),
              .oom_killed = state.getOomKilled(),
              .finished_at_ns = state.getFinishedAtNs(),
              .lost_log_bytes = state.getDroppedLogBytes()});
    }
    return absl::OkStatus();
  }));
  return done;
}

void MonitorLink::NoteState(schema::MonitorState::Reader state) {
  running_ = state.getState() == schema::MonitorState::State::RUNNING;
  reopened_ = state.getReopened();
  refused_ = state.getRefused();
  if (state.getDroppedLogBytes() > lost_log_bytes_) {
    base::Log(base::Severity::kWarning, "output of a container is lost: its log cannot be written",
              {{"container", name_}, {"bytes", state.getDroppedLogBytes()}});
  }
  lost_log_bytes_ = state.getDroppedLogBytes();
  if (heard_.get() != nullptr) heard_->fulfill();
}

absl::Status MonitorLink::ReopenLog(Fiber& fiber, int log) {
  auto held = reopening_.Acquire(fiber);
  const uint32_t reopened = reopened_, refused = refused_;
  BULKHEAD_RETURN_IF_ERROR(
      Request(fiber, [](schema::MonitorRequest::Builder r) { r.setReopenLog(); }, {log}));
  const base::Deadline deadline = Soon();
  while (!exited_ && reopened_ == reopened && refused_ == refused) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    heard_ = kj::mv(paf.fulfiller);
    const bool heard = fiber.WaitFor(kj::mv(paf.promise), deadline.Remaining());
    heard_ = nullptr;
    if (!heard) return absl::DeadlineExceededError("the container's monitor does not answer");
  }
  if (reopened_ != reopened) return absl::OkStatus();
  if (refused_ != refused) return absl::InternalError("the monitor refused the log file");
  return absl::UnavailableError("the container has ended");
}

void MonitorLink::Watch(Fiber& fiber) {
  while (!exited_) {
    absl::StatusOr<bool> done = TakeState(fiber, base::Deadline::Never());
    if (!done.ok()) return Finish({.lost = true});
    if (*done) return;
  }
}

void MonitorLink::Finish(const Exit& exit) {
  if (exited_) return;
  exited_ = true;
  running_ = false;
  if (heard_.get() != nullptr) heard_->fulfill();
  // Given up before it is called: it holds the container, which holds this link.
  if (ExitHandler handler = std::move(on_exit_)) handler(exit);
  exit_fulfiller_->fulfill();
}

bool MonitorLink::WaitForExit(Fiber& fiber, absl::Duration limit) {
  return exited_ || fiber.WaitFor(exit_promise_.addBranch(), limit);
}

absl::Status MonitorLink::TellStarted(Fiber& fiber) {
  return Request(fiber, [](schema::MonitorRequest::Builder r) { r.setStarted(); });
}

absl::Status MonitorLink::Attach(Fiber& fiber, const Attached& wanted, int socket) {
  const auto fill = [&wanted](schema::MonitorRequest::Builder request) {
    auto attach = request.initAttach();
    attach.setStdin(wanted.in);
    attach.setStdout(wanted.out);
    attach.setStderr(wanted.err);
  };
  return Request(fiber, fill, {&socket, 1});
}

// Until the monitor hangs up. Closing first, with an answer of its unread, would make it lose our
// word.
void MonitorLink::AwaitEnd(Fiber& fiber) {
  if (!socket_) return;
  base::UniqueFd socket = std::move(socket_);  // nobody else may read it now
  base::Deadline deadline = Soon();
  while (
      ipc::Receive(socket.get(), ipc::Limits{.max_bytes = 4096}, deadline, fiber.waiter()).ok()) {
  }
  writer_.Reset();
  pidfd_.Reset();
}

absl::Status MonitorLink::Acknowledge(Fiber& fiber) {
  absl::Status sent = Request(fiber, [](schema::MonitorRequest::Builder r) { r.setAcknowledge(); });
  if (exited_) AwaitEnd(fiber);
  return sent;
}

}  // namespace bulkhead::broker
