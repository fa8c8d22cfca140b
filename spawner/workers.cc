#include "spawner/workers.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ranges>

#include "base/log.h"
#include "base/status.h"
#include "security/enforce/spawn.h"

namespace bulkhead::spawner {
namespace {

using ipc::SpawnEvent;
using ipc::SpawnReply;

constexpr int kMostTries = 100;  // of removing a cgroup, every 10 ms (server.cc)

SpawnReply Reply(uint64_t id, SpawnEvent event) {
  return {.magic = ipc::kSpawnMagic, .event = event, .id = id};
}

SpawnReply Failed(uint64_t id, int error) {
  SpawnReply reply = Reply(id, SpawnEvent::kFailed);
  reply.value = error;
  return reply;
}

int ErrnoOf(const absl::Status& status) {
  if (absl::IsNotFound(status)) return ENOENT;
  if (absl::IsResourceExhausted(status)) return EAGAIN;
  if (absl::IsPermissionDenied(status)) return EPERM;
  return EIO;
}

// Works for no single call: monitors, and the init of a pod.
bool Lasts(const security::Profile& profile) { return profile.limits.wall_seconds == 0; }

}  // namespace

bool Workers::IsFull(const security::Profile& profile) const {
  const bool lasts = Lasts(profile);
  auto alike = [lasts](const Worker& worker) { return Lasts(*worker.profile) == lasts; };
  const size_t count = std::ranges::count_if(live_ | std::views::values, alike) +
                       std::ranges::count_if(ended_, alike);
  return count >= (lasts ? kMostLasting : kMostWorkers);
}

SpawnReply Workers::Start(uint64_t connection, uint64_t id, uint32_t kind, int control) {
  const security::Profile* profile = security::FindProfile(static_cast<security::Kind>(kind));
  if (profile == nullptr || !IsSpawnable(*profile)) {
    base::Log(base::Severity::kWarning, "refuse a kind", {{"kind", kind}});
    return Failed(id, EINVAL);
  }
  if (IsFull(*profile)) {
    base::Log(base::Severity::kWarning, "refuse one more worker", {{"kind", profile->name}});
    return Failed(id, EAGAIN);
  }
  Worker worker = {.connection = connection, .id = id, .profile = profile};
  const absl::Status status = StartWorker(&worker, control);
  if (!status.ok()) {
    base::Log(base::Severity::kError, "cannot start a worker",
              {{"kind", profile->name}, {"error", status.message()}});
    return Failed(id, ErrnoOf(status));
  }
  SpawnReply reply = Reply(id, SpawnEvent::kStarted);
  reply.pid = worker.pid;
  live_.emplace(worker.pid, std::move(worker));
  return reply;
}

absl::Status Workers::StartWorker(Worker* worker, int control) {
  security::SpawnOptions options;
  BULKHEAD_ASSIGN_OR_RETURN(options.program, resources_.Program(worker->profile->kind));
  BULKHEAD_ASSIGN_OR_RETURN(worker->cgroup, cgroups_.Make(worker->profile->limits));
  options.cgroup_procs = worker->cgroup.procs;
  options.cgroup = worker->cgroup.directory.get();
  options.fds = resources_.Directories(*worker->profile);
  options.fds.insert(options.fds.begin(), control);
  absl::StatusOr<security::Spawned> spawned = security::Spawn(*worker->profile, options);
  // No descriptor of a worker stays: there may be more than the usual limit, which containers
  // inherit.
  worker->cgroup.directory.Reset();
  if (!spawned.ok()) {
    cgroups_.Remove(worker->cgroup);
    return spawned.status();
  }
  worker->pid = spawned->pid;
  return absl::OkStatus();
}

// Its pid is its own as long as it is not reaped, which this process alone does, just before it
// forgets it.
void Workers::KillWorker(const Worker& worker) { kill(worker.pid, SIGKILL); }

void Workers::Kill(uint64_t connection, uint64_t id) {
  for (const auto& [pid, worker] : live_) {
    if (worker.connection != connection || worker.id != id) continue;
    KillWorker(worker);
    cgroups_.Kill(worker.cgroup);
    return;
  }
}

void Workers::KillOrphans() {
  for (const auto& [pid, worker] : live_) {
    if (!Lasts(*worker.profile)) KillWorker(worker);
  }
  cgroups_.RemoveIdle();
}

Workers::Exit Workers::ExitOf(const Worker& worker) {
  Exit exit = {worker.connection, Reply(worker.id, SpawnEvent::kExited)};
  exit.reply.pid = worker.pid;
  exit.reply.value = worker.wait_status;
  exit.reply.oom_killed = worker.oom_killed ? 1 : 0;
  return exit;
}

std::vector<Workers::Exit> Workers::Reap() {
  int status = 0;
  while (const pid_t pid = waitpid(-1, &status, WNOHANG)) {
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) break;
    const auto found = live_.find(pid);
    if (found == live_.end()) continue;
    Worker worker = std::move(found->second);
    live_.erase(found);
    worker.wait_status = status;
    ended_.push_back(std::move(worker));
  }
  return RetryRemovals();
}

std::vector<Workers::Exit> Workers::RetryRemovals() {
  std::vector<Exit> exits;
  for (auto worker = ended_.begin(); worker != ended_.end();) {
    worker->oom_killed = cgroups_.OomKilled(worker->cgroup);
    if (!cgroups_.Release(worker->cgroup, worker->oom_killed) && ++worker->tries < kMostTries) {
      ++worker;
      continue;
    }
    exits.push_back(ExitOf(*worker));
    worker = ended_.erase(worker);
  }
  return exits;
}

}  // namespace bulkhead::spawner
