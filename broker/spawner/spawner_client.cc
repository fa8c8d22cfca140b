#include "broker/spawner/spawner_client.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ipc/send_fd.h"

namespace bulkhead::broker {

// A worker that limits itself ends so (worker/common/own_limits.h).
constexpr int kOutOfMemoryExit = 3;

namespace {

// Those that pods, containers and port-forwards wait for: one of each stands by, confined and
// without a job, as starting one takes longer than most jobs; two of launch, as a create and its
// start follow each other at once. Each still does one job and ends. The other kinds are rare, or
// their jobs are long.
size_t WantedSpares(security::Kind kind) {
  using security::Kind;
  constexpr Kind kKinds[] = {Kind::kSandbox, Kind::kCgroup,  Kind::kMount,
                             Kind::kUser,    Kind::kSignal,  Kind::kDial,
                             Kind::kRemove,  Kind::kNetwork, Kind::kCni};
  if (kind == Kind::kLaunch) return 2;
  return std::ranges::find(kKinds, kind) != std::end(kKinds) ? 1 : 0;
}

}  // namespace

bool WorkerExit::OverLimit() const {
  if (!started) return false;
  return oom_killed || (WIFSIGNALED(value) && WTERMSIG(value) == SIGXCPU) ||
         (WIFEXITED(value) && WEXITSTATUS(value) == kOutOfMemoryExit);
}

std::string WorkerExit::Describe() const {
  if (!started) return absl::StrCat("could not be started: ", strerror(value));
  if (oom_killed) return "was killed at its memory limit";
  if (WIFSIGNALED(value)) {
    int signal = WTERMSIG(value);
    return absl::StrCat("was killed by signal ", signal,
                        signal == SIGSYS    ? " (a forbidden system call)"
                        : signal == SIGXCPU ? " (its CPU time is used up)"
                                            : "");
  }
  return absl::StrCat("ended with code ", WEXITSTATUS(value));
}

kj::Promise<void> SpawnerClient::Serve() {
  auto observer = kj::heap<kj::UnixEventPort::FdObserver>(
      loop_.port(), socket_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ);
  auto readable = observer->whenBecomesReadable();
  // What arrived before the observer existed makes no edge.
  Drain();
  return readable.attach(kj::mv(observer)).then([this]() -> kj::Promise<void> {
    Drain();
    if (!connected_) return kj::READY_NOW;
    return Serve();
  });
}

void SpawnerClient::Drain() {
  while (connected_) {
    ipc::SpawnReply reply;
    ssize_t n = recv(socket_.get(), &reply, sizeof(reply), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n != sizeof(reply) || reply.magic != ipc::kSpawnMagic) return Disconnected();
    Take(reply);
  }
}

void SpawnerClient::Take(const ipc::SpawnReply& reply) {
  if (reply.event == ipc::SpawnEvent::kStarted) return;
  auto found = live_.find(reply.id);
  if (found == live_.end()) return;
  found->second->fulfill(WorkerExit{.started = reply.event != ipc::SpawnEvent::kFailed,
                                    .value = reply.value,
                                    .oom_killed = reply.oom_killed != 0});
  live_.erase(found);
  std::erase_if(spares_, [&](const auto& spare) { return spare.second.id == reply.id; });
}

void SpawnerClient::Disconnected() {
  connected_ = false;
  base::Log(base::Severity::kError, "the spawner is gone");
  spares_.clear();
  for (auto& [id, exit] : live_) exit->fulfill(WorkerExit{.started = false, .value = ECONNRESET});
  live_.clear();
}

absl::StatusOr<SpawnerClient::Started> SpawnerClient::Spawn(Fiber& fiber, security::Kind kind) {
  // Where the socket is full, one at a time waits for it, and the ids go out in order.
  const FiberLimit::Held turn = sending_.Acquire(fiber, 1);
  if (!connected_) return absl::UnavailableError("the spawner is gone");
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pair, base::MakeSocketPair(SOCK_STREAM));
  ipc::SpawnRequest request = {.magic = ipc::kSpawnMagic,
                               .op = ipc::SpawnOp::kSpawn,
                               .id = next_id_++,
                               .kind = static_cast<uint32_t>(kind)};
  base::Deadline deadline = base::Deadline::After(absl::Seconds(10));
  while (ipc::SendWithFd(writer_.get(), &request, sizeof(request), pair.second.get(),
                         MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return absl::UnavailableError("the spawner is gone");
    BULKHEAD_RETURN_IF_ERROR(fiber.waiter().Writable(writer_.get(), deadline));
  }
  auto exit = kj::newPromiseAndFulfiller<WorkerExit>();
  live_[request.id] = kj::mv(exit.fulfiller);
  return Started{.id = request.id, .exit = kj::mv(exit.promise), .control = std::move(pair.first)};
}

absl::StatusOr<SpawnerClient::Started> SpawnerClient::Obtain(Fiber& fiber, security::Kind kind) {
  if (WantedSpares(kind) == 0) return Spawn(fiber, kind);
  ReplaceSpare(kind);
  if (std::optional<Started> spare = TakeSpare(kind)) return *std::move(spare);
  return Spawn(fiber, kind);
}

std::vector<std::string> SpawnerClient::Spares() const {
  std::vector<std::string> kinds;
  for (const auto& [kind, spare] : spares_) {
    kinds.emplace_back(security::FindProfile(kind)->name);
  }
  return kinds;
}

std::optional<SpawnerClient::Started> SpawnerClient::TakeSpare(security::Kind kind) {
  auto found = spares_.find(kind);
  if (found == spares_.end()) return std::nullopt;
  Started spare = std::move(found->second);
  spares_.erase(found);
  return spare;
}

// A little later, as the operation that took the last one needs the processors now.
void SpawnerClient::ReplaceSpare(security::Kind kind) {
  constexpr absl::Duration kLater = absl::Milliseconds(10);
  if (!replacing_.insert(kind).second) return;
  loop_.Stay([this, kind](Fiber& fiber) {
    fiber.Sleep(kLater);
    replacing_.erase(kind);
    while (spares_.count(kind) < WantedSpares(kind)) {
      absl::StatusOr<Started> spare = Spawn(fiber, kind);
      if (!spare.ok()) return;
      spares_.emplace(kind, *std::move(spare));
    }
  });
}

void SpawnerClient::Kill(uint64_t id) {
  if (!connected_ || !live_.contains(id)) return;
  ipc::SpawnRequest request = {.magic = ipc::kSpawnMagic, .op = ipc::SpawnOp::kKill, .id = id};
  // A full socket means a spawner that hangs; the worker's own limits remain.
  if (send(writer_.get(), &request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    base::Log(base::Severity::kWarning, "could not ask the spawner to kill a worker",
              {{"worker", id}, {"why", strerror(errno)}});
  }
}

}  // namespace bulkhead::broker
