#include "tools/up/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "security/enforce/inspect.h"
#include "security/selftest.h"
#include "tools/up/sockets.h"

namespace bulkhead::tools {
namespace {

constexpr absl::Duration kBrokerStartPatience = absl::Seconds(30);
constexpr absl::Duration kEnterPatience = absl::Seconds(5);
constexpr absl::Duration kStopPatience = absl::Seconds(5);
constexpr absl::Duration kFirstBackOff = absl::Milliseconds(100);
constexpr absl::Duration kLongestBackOff = absl::Seconds(10);
// Who has lived this long since the last restart begins again with the first back-off.
constexpr absl::Duration kCalm = absl::Minutes(1);

std::string HowEnded(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("signal ", WTERMSIG(status));
  return absl::StrCat("exit ", WEXITSTATUS(status));
}

}  // namespace

Supervisor::Supervisor(Parts parts)
    : parts_(std::move(parts)),
      networks_(parts_.network_dir),
      self_check_(parts_.cri_path),
      spawner_(security::kSpawnerProfile, "bulkhead-spawner"),
      auditor_(security::kAuditorProfile, "bulkhead-auditor"),
      broker_(security::kBrokerProfile, "bulkhead-broker"),
      frontend_(security::kFrontendProfile, "bulkhead-frontend"),
      streaming_(security::kStreamingProfile, "bulkhead-streaming"),
      back_off_(kFirstBackOff) {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, number);
  signals_.Reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

absl::Status Supervisor::Start() {
  if (!signals_) return base::ErrnoStatus("make signalfd");
  absl::Status status = StartFrom(Level::kSpawner);
  if (status.ok() && stopping_) status = absl::CancelledError("asked to end while starting");
  if (status.ok()) return status;
  KillFrom(Level::kSpawner);
  streaming_.Kill();
  return status;
}

absl::Status Supervisor::StartFrom(Level level) {
  KillFrom(level);
  if (level >= Level::kSpawner) BULKHEAD_RETURN_IF_ERROR(StartSpawner());
  if (level >= Level::kBroker) BULKHEAD_RETURN_IF_ERROR(StartBroker());
  if (!streaming_.running()) BULKHEAD_RETURN_IF_ERROR(StartStreaming());
  if (level != Level::kFrontend) BULKHEAD_RETURN_IF_ERROR(ConnectStreaming());
  return level == Level::kStreaming ? absl::OkStatus() : StartFrontend();
}

void Supervisor::KillFrom(Level level) {
  if (level >= Level::kFrontend) frontend_.Kill();
  if (level >= Level::kBroker) {
    broker_.Kill();
    auditor_.Stop(0, kStopPatience);  // it closes the log once the broker's socket is gone
  }
  if (level >= Level::kSpawner) spawner_.Kill();
}

// An open file of its own for each process: one that reads must not move another one's position.
absl::StatusOr<base::UniqueFd> Supervisor::OpenConfig() {
  std::string path = absl::StrCat("/proc/self/fd/", parts_.config.get());
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::ErrnoStatus("open the configuration again");
  return fd;
}

absl::Status Supervisor::StartSpawner() {
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair requests, base::MakeSocketPair(SOCK_SEQPACKET));
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair control, base::MakeSocketPair(SOCK_SEQPACKET));
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd config, OpenConfig());
  BULKHEAD_RETURN_IF_ERROR(spawner_.Start(
      parts_.programs.get(),
      {requests.second.get(), config.get(), parts_.programs.get(), control.second.get()}));
  spawner_control_ = std::move(control.first);
  BULKHEAD_RETURN_IF_ERROR(SendFd(spawner_control_.get(), 'R', parts_.registries.get()));
  BULKHEAD_RETURN_IF_ERROR(Inspect(spawner_));
  absl::Time begin = absl::Now();
  BULKHEAD_RETURN_IF_ERROR(security::TestWorkers(requests.first.get(), parts_.places));
  base::Log(base::Severity::kInfo, "each worker is what its table says",
            {{"took", absl::FormatDuration(absl::Now() - begin)}});
  return absl::OkStatus();
}

absl::Status Supervisor::StartAuditor(base::UniqueFd* audit_socket) {
  if (!parts_.audit_directory) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair records, base::MakeSocketPair(SOCK_SEQPACKET));
  // An open file of its own: the lock on the log belongs to it.
  const base::UniqueFd directory(
      openat(parts_.audit_directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return base::ErrnoStatus("open the audit directory");
  BULKHEAD_RETURN_IF_ERROR(
      auditor_.Start(parts_.programs.get(), {records.second.get(), directory.get()}));
  *audit_socket = std::move(records.first);
  return Inspect(auditor_);
}

absl::Status Supervisor::StartBroker() {
  base::UniqueFd audit;
  BULKHEAD_RETURN_IF_ERROR(StartAuditor(&audit));
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair requests, base::MakeSocketPair(SOCK_SEQPACKET));
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair control, base::MakeSocketPair(SOCK_SEQPACKET));
  BULKHEAD_RETURN_IF_ERROR(SendFd(spawner_control_.get(), 'B', requests.second.get()));
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd config, OpenConfig());
  std::vector<int> fds = {control.second.get(), requests.first.get(), parts_.admin_socket.get(),
                          config.get()};
  if (audit) fds.push_back(audit.get());
  self_check_.Forget();
  BULKHEAD_RETURN_IF_ERROR(broker_.Start(parts_.programs.get(), std::move(fds)));
  broker_control_ = std::move(control.first);
  // Ours would keep the broker's end open when the broker is gone.
  control.second.Reset();
  BULKHEAD_RETURN_IF_ERROR(AwaitBroker());
  BULKHEAD_RETURN_IF_ERROR(SendFd(broker_control_.get(), 'P', parts_.policy.get()));
  return Inspect(broker_);
}

absl::Status Supervisor::StartFrontend() {
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair calls, base::MakeSocketPair(SOCK_STREAM));
  BULKHEAD_RETURN_IF_ERROR(SendFd(broker_control_.get(), 'F', calls.second.get()));
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd config, OpenConfig());
  BULKHEAD_RETURN_IF_ERROR(frontend_.Start(
      parts_.programs.get(), {calls.first.get(), parts_.cri_socket.get(), config.get()}));
  return Inspect(frontend_);
}

absl::Status Supervisor::StartStreaming() {
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair control, base::MakeSocketPair(SOCK_SEQPACKET));
  std::vector<int> fds = {control.second.get(), parts_.streaming_socket.get()};
  if (parts_.streaming_tls) fds.push_back(parts_.streaming_tls.get());
  BULKHEAD_RETURN_IF_ERROR(streaming_.Start(parts_.programs.get(), fds));
  streaming_control_ = std::move(control.first);
  return Inspect(streaming_);
}

absl::Status Supervisor::ConnectStreaming() {
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pair, base::MakeSocketPair(SOCK_SEQPACKET));
  BULKHEAD_RETURN_IF_ERROR(SendFd(broker_control_.get(), 'S', pair.second.get()));
  return SendFd(streaming_control_.get(), 'B', pair.first.get());
}

// Nobody serves who is not confined as the table says.
absl::Status Supervisor::Inspect(const Child& child) {
  return security::InspectWhenEntered(child.profile(), child.pid(), {.places = parts_.places},
                                      base::Deadline::After(kEnterPatience));
}

absl::Status Supervisor::AwaitBroker() {
  base::Deadline deadline = base::Deadline::After(kBrokerStartPatience);
  while (!deadline.Passed()) {
    pollfd waits[] = {{broker_control_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    if (poll(waits, 2, deadline.PollTimeout()) < 0 && errno != EINTR) {
      return base::ErrnoStatus("wait for broker");
    }
    if (waits[1].revents != 0) HandleSignals();
    if (stopping_) return absl::CancelledError("asked to end while starting");
    if (waits[0].revents == 0) continue;
    char byte = 0;
    if (recv(broker_control_.get(), &byte, 1, MSG_DONTWAIT) == 1 && byte == 'R') {
      return absl::OkStatus();
    }
    return absl::UnavailableError("start broker: it ended before it was ready");
  }
  return absl::DeadlineExceededError("start broker: not ready after 30 s");
}

void Supervisor::Run() {
  while (!stopping_) {
    pollfd waits[] = {{signals_.get(), POLLIN, 0}, {networks_.fd(), POLLIN, 0}};
    int ready = poll(waits, 2, (lost_ ? restart_at_ : self_check_.next()).PollTimeout());
    if (ready > 0 && waits[0].revents != 0) HandleSignals();
    if (ready > 0 && waits[1].revents != 0) HandleNetworkChange();
    if (!stopping_ && lost_ && restart_at_.Passed()) Restart();
    if (!lost_ && self_check_.next().Passed()) self_check_.Tick(broker_control_.get());
  }
}

void Supervisor::Stop() {
  frontend_.Stop(SIGTERM, kStopPatience);
  streaming_control_.Reset();
  streaming_.Stop(0, kStopPatience);
  broker_control_.Reset();
  broker_.Stop(0, kStopPatience);
  auditor_.Stop(0, kStopPatience);
  spawner_control_.Reset();
  spawner_.Stop(0, kStopPatience);
  Reap();
}

void Supervisor::HandleSignals() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == SIGHUP) {
      ReloadRegistries();
      ReloadPolicy();
    }
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) stopping_ = true;
  }
  Reap();
}

void Supervisor::HandleNetworkChange() {
  if (!networks_.Changed()) return;
  // A broker that is not there reads everything when it starts.
  const char notice = 'N';
  send(broker_control_.get(), &notice, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// What is wrong in the files stays without effect.
void Supervisor::ReloadRegistries() {
  absl::StatusOr<base::UniqueFd> loaded = parts_.load_registries();
  absl::Status status = loaded.status();
  if (status.ok()) {
    parts_.registries = *std::move(loaded);
    if (spawner_.running()) {
      status = SendFd(spawner_control_.get(), 'R', parts_.registries.get());
    }
  }
  if (!status.ok()) {
    base::Log(base::Severity::kError, "registries not loaded anew", {{"error", status.message()}});
    return;
  }
  base::Log(base::Severity::kInfo, "registries loaded anew");
}

// One that is broken, or not root's alone, changes nothing.
void Supervisor::ReloadPolicy() {
  absl::StatusOr<base::UniqueFd> loaded = parts_.load_policy();
  absl::Status status = loaded.status();
  if (status.ok()) {
    parts_.policy = *std::move(loaded);
    if (broker_.running()) status = SendFd(broker_control_.get(), 'P', parts_.policy.get());
  }
  if (status.ok()) return base::Log(base::Severity::kInfo, "policy loaded anew");
  base::Log(base::Severity::kError, "policy not loaded anew: the last good one stays",
            {{"error", status.message()}});
}

// Children of ours, and orphans of theirs, which come here as this process is their subreaper.
void Supervisor::Reap() {
  int status = 0;
  while (pid_t pid = waitpid(-1, &status, WNOHANG)) {
    if (pid < 0) break;
    const std::pair<Child*, Level> children[] = {{&streaming_, Level::kStreaming},
                                                 {&frontend_, Level::kFrontend},
                                                 {&auditor_, Level::kBroker},
                                                 {&broker_, Level::kBroker},
                                                 {&spawner_, Level::kSpawner}};
    for (const auto& [child, level] : children) {
      if (!child->Reaped(pid)) continue;
      base::Log(base::Severity::kError, "process ended",
                {{"process", child->name()}, {"pid", pid}, {"how", HowEnded(status)}});
      NoteDeath(level);
    }
  }
}

void Supervisor::NoteDeath(Level level) {
  lost_ = lost_ ? std::max(*lost_, level) : level;
  if (absl::Now() - last_restart_ > kCalm) back_off_ = kFirstBackOff;
  restart_at_ = base::Deadline::After(back_off_);
}

void Supervisor::Restart() {
  Level level = *lost_;
  lost_.reset();
  back_off_ = std::min(back_off_ * 2, kLongestBackOff);
  last_restart_ = absl::Now();
  absl::Status status = StartFrom(level);
  if (status.ok() || stopping_) return;
  base::Log(base::Severity::kError, "restart failed", {{"error", status.ToString()}});
  KillFrom(level);
  NoteDeath(level);
}

}  // namespace bulkhead::tools
