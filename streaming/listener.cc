#include "streaming/listener.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/status.h"
#include "ipc/tagged_fd.h"

namespace bulkhead::streaming {
namespace {

constexpr char kNewBroker = 'B';
constexpr char kNewConnection = 'C';
// A connection's buffers are bounded far below; this is for what nobody thought of.
constexpr rlim_t kMostAddressSpace = 256 << 20;
constexpr int kFullPauseMs = 100;  // while there are no descriptors left

void BoundMemory() {
#ifndef BULKHEAD_SANITIZED
  const rlimit limit = {kMostAddressSpace, kMostAddressSpace};
  setrlimit(RLIMIT_AS, &limit);
#endif
}

}  // namespace

absl::Status Listener::Run() {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, nullptr);
  signals_.Reset(signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return base::ErrnoStatus("signalfd");
  for (;;) {
    // Without a broker nobody can be served: they wait in the backlog.
    const bool accepting = broker_ && clients_ < kMostClients;
    pollfd waits[] = {{control_.get(), POLLIN, 0},
                      {signals_.get(), POLLIN, 0},
                      {accepting ? listen_.get() : -1, POLLIN, 0}};
    if (poll(waits, std::size(waits), -1) < 0 && errno != EINTR) return base::ErrnoStatus("poll");
    if (waits[1].revents != 0) Reap();
    if (waits[0].revents != 0 && !TakeBroker()) return absl::OkStatus();
    if (waits[2].revents != 0) Accept();
  }
}

bool Listener::TakeBroker() {
  absl::StatusOr<ipc::TaggedFd> came = ipc::ReceiveTaggedFd(control_.get());
  if (absl::IsUnavailable(came.status())) return false;
  if (came.ok() && came->tag == kNewBroker && came->fd) broker_ = std::move(came->fd);
  return true;
}

void Listener::Accept() {
  base::UniqueFd client(accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) poll(nullptr, 0, kFullPauseMs);
    return;
  }
  absl::StatusOr<base::FdPair> pair = base::MakeSocketPair(SOCK_STREAM);
  absl::Status status = pair.status();
  if (status.ok()) {
    status = ipc::SendTaggedFd(broker_.get(), kNewConnection, pair->second.get());
  }
  if (status.ok()) return Begin(std::move(client), *std::move(pair));
  base::Log(base::Severity::kWarning, "turned a client away", {{"why", status.message()}});
}

void Listener::Begin(base::UniqueFd client, base::FdPair broker) {
  const pid_t pid = fork();
  if (pid < 0) {
    base::Log(base::Severity::kWarning, "turned a client away: no process for it",
              {{"errno", errno}});
  }
  if (pid != 0) {
    clients_ += pid > 0 ? 1 : 0;
    return;
  }
  // Only what is this client's own.
  for (base::UniqueFd* fd : {&control_, &listen_, &broker_, &signals_, &broker.second}) fd->Reset();
  BoundMemory();
  serve_(std::move(client), std::move(broker.first));
  _exit(0);
}

void Listener::Reap() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
  }
  int status = 0;
  while (true) {
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    --clients_;
    if (!WIFSIGNALED(status)) continue;
    base::Log(base::Severity::kError, "a connection's process was killed",
              {{"signal", WTERMSIG(status)}});
  }
}

}  // namespace bulkhead::streaming
