#include "worker/monitor/monitor.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "base/status.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "worker/monitor/facts.h"
#include "worker/monitor/rest.h"

namespace bulkhead::monitor {
namespace {

using base::UniqueFd;
using State = schema::MonitorState::State;

// Tags of what epoll reports; a larger one is the address of a connection.
enum Tag : uint64_t { kStdoutTag = 0, kStderrTag = 1, kSignalTag, kPidfdTag, kListenTag, kTags };

constexpr size_t kReadBytes = 32 << 10;
constexpr size_t kMaxConnections = 8;
constexpr size_t kMaxRequestBytes = 4096;
constexpr int kUnknownExit = 255;
// A peer that is slower than this with one small frame is dropped: the log must not wait for it.
constexpr absl::Duration kPeerPatience = absl::Milliseconds(200);
// How long output may go on after the end, where a process outside the container holds the stream.
constexpr absl::Duration kDrainPatience = absl::Seconds(1);
// How long the first process's parent may take to say the exit code.
constexpr absl::Duration kParentPatience = absl::Seconds(10);
// After this long without anything to do, memory is given back.
constexpr int kRestAfterMs = 2000;

}  // namespace

Monitor::Monitor(Start start)
    : pid_(start.pid),
      broker_uid_(start.broker_uid),
      listen_(std::move(start.listen)),
      pidfd_(std::move(start.pidfd)),
      streams_{std::move(start.out), std::move(start.err)},
      attachments_(std::move(start.in), start.tty, start.stdin_once),
      memory_events_(std::move(start.memory_events)),
      log_(std::move(start.log)) {}

absl::Status Monitor::Run() {
  BULKHEAD_RETURN_IF_ERROR(Prepare());
  Reap();  // whatever ended before the signal was watched
  while (!Done()) {
    epoll_event events[8];
    const int count = epoll_wait(epoll_.get(), events, std::size(events), Patience());
    if (count < 0 && errno != EINTR) return base::ErrnoStatus("epoll_wait");
    if (count == 0 && !resting_ && !exited_) Rest();
    resting_ = count == 0;
    for (int i = 0; i < count; ++i) Handle(events[i].data.u64);
    MaybeAnnounce();
    DropClosed();
    attachments_.DropClosed();
  }
  return absl::OkStatus();
}

int Monitor::Patience() const {
  const int drain = exited_ ? drain_.PollTimeout() : parent_.PollTimeout();
  return drain < 0 && !resting_ ? kRestAfterMs : drain;
}

void Monitor::Rest() {
  log_.GiveBackMemory();
  buffer_.reset();
  GiveBackMemory();
}

absl::Status Monitor::Prepare() {
  signals_ = WatchSignals();
  if (!signals_) return base::ErrnoStatus("signalfd");
  epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return base::ErrnoStatus("epoll_create1");
  attachments_.SetEpoll(epoll_.get());
  BULKHEAD_RETURN_IF_ERROR(Watch(signals_.get(), kSignalTag));
  BULKHEAD_RETURN_IF_ERROR(Watch(listen_.get(), kListenTag));
  BULKHEAD_RETURN_IF_ERROR(Watch(pidfd_.get(), kPidfdTag));
  for (uint64_t stream : {kStdoutTag, kStderrTag}) {
    if (streams_[stream]) BULKHEAD_RETURN_IF_ERROR(Watch(streams_[stream].get(), stream));
  }
  return absl::OkStatus();
}

absl::Status Monitor::Watch(int fd, uint64_t tag) {
  epoll_event event = {.events = EPOLLIN, .data = {.u64 = tag}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
  return base::ErrnoStatus("epoll_ctl");
}

void Monitor::Handle(uint64_t tag) {
  switch (tag) {
    case kStdoutTag:
    case kStderrTag:
      return ReadStream(static_cast<Stream>(tag));
    case kSignalTag:
      return Reap();
    case kPidfdTag:
      return PidfdReadable();
    case kListenTag:
      return Accept();
    case Attachments::kInputTag:
      return attachments_.FlushInput();
    default:
      if (Attachments::IsClient(tag)) return attachments_.ReadClient(tag);
      return ReadRequest(*reinterpret_cast<Connection*>(tag));
  }
}

void Monitor::ReadStream(Stream stream) {
  const UniqueFd& fd = streams_[static_cast<size_t>(stream)];
  if (!fd) return;
  if (!buffer_) buffer_.reset(new char[kReadBytes]);  // not touched before it is filled
  const ssize_t got = read(fd.get(), buffer_.get(), kReadBytes);
  if (got > 0) {
    const absl::string_view bytes(buffer_.get(), static_cast<size_t>(got));
    log_.Append(stream, bytes);
    TellOfLoss();
    attachments_.Send(stream == Stream::kStderr ? ipc::AttachTag::kStderr : ipc::AttachTag::kStdout,
                      bytes);
  } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
    CloseStream(stream);  // a terminal ends with EIO
  }
}

void Monitor::CloseStream(Stream stream) {
  log_.Finish(stream);
  streams_[static_cast<size_t>(stream)].Reset();  // which takes it out of the epoll set
}

// Besides the container's first process there may be orphans: of the runtime, and of a container in
// the node's pid namespace.
void Monitor::Reap() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof(info)) > 0) {
  }
  int status = 0;
  for (;;) {
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == pid_) RecordExit(ExitCode(status));
    if (pid <= 0 && errno != EINTR) return;
    if (pid == 0) return;
  }
}

void Monitor::RecordExit(int exit_code) {
  if (exited_) return;
  exited_ = true;
  exit_code_ = exit_code;
  finished_at_ns_ = LogWriter::WallClock();
  oom_killed_ = memory_events_ && SawOomKill(memory_events_.get());
  drain_ = base::Deadline::After(kDrainPatience);
}

void Monitor::PidfdReadable() {
  Reap();
  if (exited_ || !IsChild(pid_)) {
    RecordExit(kUnknownExit);  // it was no child of ours, so its code went elsewhere
  } else {
    parent_ = base::Deadline::After(kParentPatience);
  }
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, pidfd_.get(), nullptr);
}

void Monitor::MaybeAnnounce() {
  if (!exited_ && parent_.Passed()) RecordExit(kUnknownExit);
  if (!exited_ || announced_) return;
  if ((streams_[0] || streams_[1]) && !drain_.Passed()) return;
  for (Stream stream : {Stream::kStdout, Stream::kStderr}) CloseStream(stream);
  attachments_.CloseAll();
  announced_ = true;
  drain_ = base::Deadline::Never();
  state_ = State::EXITED;
  Broadcast();
}

void Monitor::Accept() {
  UniqueFd socket(accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket) return;
  if (!IsFromUid(socket.get(), broker_uid_)) return;
  // A broker that was killed leaves connections that end; one that opens ever more loses the
  // oldest.
  if (connections_.size() >= kMaxConnections) connections_.front().closed = true;
  connections_.push_back({std::move(socket)});
  Connection& connection = connections_.back();
  if (!Watch(connection.socket.get(), reinterpret_cast<uint64_t>(&connection)).ok()) {
    connection.closed = true;
  }
}

void Monitor::ReadRequest(Connection& connection) {
  if (connection.closed) return;
  absl::StatusOr<ipc::Received> request =
      ipc::Receive(connection.socket.get(), {.max_bytes = kMaxRequestBytes, .max_fds = 1},
                   base::Deadline::After(kPeerPatience));
  if (!request.ok()) {
    connection.closed = true;
    return;
  }
  const absl::Status read = ipc::Guarded(
      [&] { Answer(connection, request->As<schema::MonitorRequest>(), request->fds()); });
  if (!read.ok()) connection.closed = true;
}

void Monitor::Answer(Connection& connection, schema::MonitorRequest::Reader request,
                     std::vector<UniqueFd>& fds) {
  switch (request.which()) {
    case schema::MonitorRequest::WATCH:
      connection.watching = true;
      return SendState(connection, true);
    case schema::MonitorRequest::ACKNOWLEDGE:
      acknowledged_ = true;
      return;
    case schema::MonitorRequest::REOPEN_LOG:
      ReopenLog(fds);
      return SendState(connection, false);
    case schema::MonitorRequest::STARTED:
      return MarkStarted();
    case schema::MonitorRequest::ATTACH:
      return Attach(request.getAttach(), fds);
  }
  connection.closed = true;  // a request of a newer schema
}

void Monitor::MarkStarted() {
  if (started_at_ns_ != 0) return;
  started_at_ns_ = LogWriter::WallClock();
  if (exited_) started_at_ns_ = std::min(started_at_ns_, finished_at_ns_);
  if (state_ == State::CREATED) state_ = State::RUNNING;
  Broadcast();
}

// The socket is the broker's to make, so what is at its other end is nobody's concern here. Without
// one, or after the end, closing it says all.
void Monitor::Attach(schema::MonitorRequest::Attach::Reader request, std::vector<UniqueFd>& fds) {
  if (fds.size() != 1 || announced_) return;
  attachments_.Add(std::move(fds[0]),
                   {request.getStdin(), request.getStdout(), request.getStderr()});
}

void Monitor::ReopenLog(std::vector<UniqueFd>& fds) {
  if (fds.size() != 1 || !IsLogFile(fds[0].get())) {
    base::Log(base::Severity::kWarning, "refused a log file");
    ++refused_;
    return;
  }
  log_.Reopen(std::move(fds[0]));
  ++reopened_;
}

// At the first loss, and then whenever it has doubled: a full disk must not make a flood of words.
void Monitor::TellOfLoss() {
  if (log_.dropped() / 2 < told_dropped_ || log_.dropped() == told_dropped_) return;
  told_dropped_ = log_.dropped();
  Broadcast();
}

void Monitor::SendState(Connection& connection, bool with_pidfd) {
  capnp::MallocMessageBuilder message;
  auto state = message.initRoot<schema::MonitorState>();
  state.setState(state_);
  state.setStartedAtNs(started_at_ns_);
  state.setDroppedLogBytes(log_.dropped());
  state.setReopened(reopened_);
  state.setRefused(refused_);
  if (announced_) {
    state.setExitCode(exit_code_);
    state.setOomKilled(oom_killed_);
    state.setFinishedAtNs(finished_at_ns_);
  }
  std::vector<int> fds;
  if (with_pidfd) fds.push_back(pidfd_.get());
  const absl::Status sent =
      ipc::Send(connection.socket.get(), message, fds, base::Deadline::After(kPeerPatience));
  if (!sent.ok()) connection.closed = true;
}

void Monitor::Broadcast() {
  for (Connection& connection : connections_) {
    if (connection.watching && !connection.closed) SendState(connection, false);
  }
}

void Monitor::DropClosed() {
  connections_.remove_if([](const Connection& connection) { return connection.closed; });
}

}  // namespace bulkhead::monitor
