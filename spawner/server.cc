#include "spawner/server.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/status.h"

namespace bulkhead::spawner {
namespace {

constexpr int kRetryMilliseconds = 10;
// Monitors of an earlier spawner end unseen by this one: how often to look for their cgroups.
constexpr absl::Duration kSweepEvery = absl::Seconds(3);
constexpr char kNewBroker = 'B';
constexpr char kNewRegistries = 'R';
constexpr int kRequestsInARow = 16;  // then the others get their turn

absl::StatusOr<base::UniqueFd> WatchChildren() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return base::ErrnoStatus("block SIGCHLD");
  base::UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return base::ErrnoStatus("signalfd");
  return fd;
}

}  // namespace

absl::Status Server::Serve() {
  BULKHEAD_ASSIGN_OR_RETURN(children_, WatchChildren());
  for (;;) {
    BULKHEAD_RETURN_IF_ERROR(Wait());
    if (children_ready_) {
      signalfd_siginfo info;
      while (read(children_.get(), &info, sizeof(info)) > 0) {
      }
      Report(workers_.Reap());
    } else if (workers_.HasBusyCgroups()) {
      Report(workers_.RetryRemovals());
    }
    if (broker_ready_) ServeBroker();
    if (supervisor_ready_ && !ServeSupervisor()) break;
  }
  workers_.KillOrphans();
  base::Log(base::Severity::kInfo, "the supervisor is gone: the spawner ends");
  return absl::OkStatus();
}

int Server::PollTimeout() const {
  if (workers_.HasBusyCgroups()) return kRetryMilliseconds;
  return leftovers_ ? next_sweep_.PollTimeout() : -1;
}

// By the clock, and not only when there is nothing else to do.
void Server::Sweep() {
  if (!leftovers_ || !next_sweep_.Passed()) return;
  leftovers_ = workers_.RemoveLeftovers();
  next_sweep_ = base::Deadline::After(kSweepEvery);
}

absl::Status Server::Wait() {
  short broker_events = 0;
  if (broker_ != nullptr) broker_events = broker_->Backlogged() ? POLLOUT : POLLIN;
  pollfd fds[] = {{broker_ != nullptr ? broker_->fd() : -1, broker_events, 0},
                  {supervisor_.get(), POLLIN, 0},
                  {children_.get(), POLLIN, 0}};
  const int ready = poll(fds, 3, PollTimeout());
  if (ready < 0 && errno != EINTR) return base::ErrnoStatus("poll");
  Sweep();
  broker_ready_ = fds[0].revents != 0;
  supervisor_ready_ = fds[1].revents != 0;
  children_ready_ = fds[2].revents != 0;
  return absl::OkStatus();
}

void Server::Adopt(base::UniqueFd broker) {
  if (broker.get() < 0) return;
  broker_ = std::make_unique<Connection>(std::move(broker), ++connections_);
}

void Server::DropBroker(const absl::Status& why) {
  const bool violation = !absl::IsUnavailable(why);
  base::Log(violation ? base::Severity::kError : base::Severity::kInfo, "drop the broker's socket",
            {{"why", why.message()}});
  broker_.reset();
  workers_.KillOrphans();
}

void Server::ServeBroker() {
  for (int i = 0; i < kRequestsInARow && broker_ != nullptr; ++i) {
    if (broker_->Backlogged()) {
      const absl::Status status = broker_->Flush();
      if (!status.ok()) return DropBroker(status);
      if (broker_->Backlogged()) return;
    }
    absl::StatusOr<std::optional<Connection::Request>> request = broker_->Receive();
    if (!request.ok()) return DropBroker(request.status());
    if (!request->has_value()) return;
    Handle(std::move(**request));
  }
}

void Server::Handle(Connection::Request request) {
  const ipc::SpawnRequest& asked = request.request;
  if (asked.op == ipc::SpawnOp::kKill) return workers_.Kill(broker_->number(), asked.id);
  Tell(workers_.Start(broker_->number(), asked.id, asked.kind, request.control.get()));
}

bool Server::ServeSupervisor() {
  char tag = 0;
  base::UniqueFd fd;
  const ssize_t got = ReceiveWithFd(supervisor_.get(), &tag, 1, &fd);
  if (got < 0 && errno == EAGAIN) return true;
  if (got != 1) return false;
  if (!fd) return true;
  if (tag == kNewRegistries) workers_.Replace(security::Dir::kRegistries, std::move(fd));
  if (tag != kNewBroker) return true;
  // Its end may be noticed only now.
  if (broker_ != nullptr) DropBroker(absl::UnavailableError("another broker takes its place"));
  Adopt(std::move(fd));
  return true;
}

void Server::Report(const std::vector<Workers::Exit>& exits) {
  for (const Workers::Exit& exit : exits) {
    if (broker_ != nullptr && exit.connection == broker_->number()) Tell(exit.reply);
  }
}

void Server::Tell(const ipc::SpawnReply& reply) {
  if (broker_ == nullptr) return;
  const absl::Status status = broker_->Send(reply);
  if (!status.ok()) DropBroker(status);
}

}  // namespace bulkhead::spawner
