#include <csignal>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "broker/operations/container.h"
#include "broker/operations/launch.h"
#include "broker/spawner/worker.h"
#include "schema/worker/signal.capnp.h"

namespace bulkhead::broker {
namespace {

using ContainerState = schema::Container::State;

constexpr absl::Duration kKillLimit = absl::Seconds(10);

absl::Status SendSignal(Fiber& fiber, Broker& broker, const ContainerObject& container, int signal,
                        bool whole_cgroup) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::SignalJob>();
  job.setSignal(signal);
  job.setWholeCgroup(whole_cgroup);
  job.setContainerId(container.id);
  job.setCgroup(container.record.read().getCgroup());
  job.setCgroupMode(broker.config.getHost().getCgroupMode());
  std::vector<int> fds;
  if (!whole_cgroup) {
    if (container.monitor == nullptr || container.monitor->pidfd() < 0) {
      return absl::NotFoundError("the container has no process");
    }
    fds.push_back(container.monitor->pidfd());
  }
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kSignal, message, fds));
  absl::Status status = worker->Finish<schema::SignalResult>(fiber);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

bool HasProcess(const ContainerObject& container) {
  auto state = container.record.read().getState();
  return state == ContainerState::CREATED || state == ContainerState::RUNNING;
}

// Ends every process of it, and waits for the monitor's word.
absl::Status KillHeld(Fiber& fiber, Broker& broker, const ContainerPtr& container) {
  if (!HasProcess(*container)) return absl::OkStatus();
  // The first process before the rest: its end is what the monitor reports.
  absl::Status first = SendSignal(fiber, broker, *container, SIGKILL, false);
  absl::Status all = SendSignal(fiber, broker, *container, SIGKILL, true);
  if (container->monitor != nullptr && container->monitor->WaitForExit(fiber, kKillLimit)) {
    return absl::OkStatus();
  }
  BULKHEAD_RETURN_IF_ERROR(first);
  BULKHEAD_RETURN_IF_ERROR(all);
  return absl::DeadlineExceededError(
      absl::StrCat("container ", container->id, ": does not end although it was killed"));
}

// Nobody reads its output or its exit code any more: it must not run on (F4).
void KillUnwatched(Fiber& fiber, Broker& broker, const ContainerObject& container) {
  absl::Status killed = SendSignal(fiber, broker, container, SIGKILL, true);
  if (killed.ok()) return;
  base::Log(base::Severity::kError, "could not kill a container without monitor",
            {{"container", container.id}, {"why", killed.message()}});
}

// False where it is not stored: the monitor then keeps the code for the next broker.
bool StoreExit(Broker& broker, const ContainerPtr& container) {
  if (container->phase != Phase::kActive) return false;
  absl::Status saved = broker.state.Save(container);
  if (saved.ok()) return true;
  base::Log(base::Severity::kError, "could not store an exit code",
            {{"container", container->id}, {"why", saved.message()}});
  return false;
}

void ReleaseMonitor(Fiber& fiber, const ContainerObject& container) {
  if (container.monitor != nullptr) container.monitor->Acknowledge(fiber).IgnoreError();
}

}  // namespace

absl::Status StartContainer(Fiber& fiber, Broker& broker, const std::string& id) {
  BULKHEAD_ASSIGN_OR_RETURN(ContainerPtr container, broker.state.FindContainer(id));
  auto held = container->mutex.Acquire(fiber);
  if (container->phase != Phase::kActive ||
      container->record.read().getState() != ContainerState::CREATED) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container->id, ": is not in the created state"));
  }
  int64_t begun_ns = WallClockNs();  // before it can end
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::LaunchJob>();
  FillLaunch(broker, *container, job);
  job.setStart();
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, LaunchKind(broker, *container), message));
  container->record.edit().setStartedAtNs(begun_ns);
  if (absl::Status started = worker->Finish<schema::LaunchResult>(fiber); !started.ok()) {
    container->record.edit().setStartedAtNs(0);
    return started;
  }
  // A short-lived container may have ended, and been recorded, before we come to say that it runs.
  if (container->record.read().getState() == ContainerState::CREATED) {
    container->record.edit().setState(ContainerState::RUNNING);
  }
  BULKHEAD_RETURN_IF_ERROR(broker.state.Save(container));
  absl::Status told = container->monitor->TellStarted(fiber);
  if (!told.ok() && !container->monitor->exited()) {
    base::Log(base::Severity::kWarning, "the monitor could not be told of the start",
              {{"container", container->id}, {"why", told.message()}});
  }
  return absl::OkStatus();
}

absl::Status StopContainer(Fiber& fiber, Broker& broker, const std::string& id,
                           absl::Duration grace) {
  absl::StatusOr<ContainerPtr> found = broker.state.FindContainer(id);
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  if (!found.ok()) return found.status();
  const ContainerPtr& container = *found;
  auto held = container->mutex.Acquire(fiber);
  if (container->phase != Phase::kActive || !HasProcess(*container)) return absl::OkStatus();
  bool running = container->record.read().getState() == ContainerState::RUNNING;
  if (running && grace > absl::ZeroDuration()) {
    BULKHEAD_RETURN_IF_ERROR(
        SendSignal(fiber, broker, *container, container->record.read().getStopSignal(), false));
    if (container->monitor != nullptr && container->monitor->WaitForExit(fiber, grace)) {
      return absl::OkStatus();
    }
  }
  return KillHeld(fiber, broker, container);
}

absl::Status KillContainer(Fiber& fiber, Broker& broker, const ContainerPtr& container) {
  auto held = container->mutex.Acquire(fiber);
  return KillHeld(fiber, broker, container);
}

absl::Status WatchContainer(Fiber& fiber, Broker& broker, const ContainerPtr& container) {
  auto on_exit = [&broker, container](const MonitorLink::Exit& exit) {
    // At once, before anybody can read it: what was once seen must be there after a restart too.
    if (!NoteExit(*container, exit)) return;
    const bool stored = StoreExit(broker, container);
    broker.loop.Detach([&broker, container, stored, lost = exit.lost](Fiber& recorder) {
      if (lost) KillUnwatched(recorder, broker, *container);
      if (stored) ReleaseMonitor(recorder, *container);
    });
  };
  BULKHEAD_ASSIGN_OR_RETURN(container->monitor,
                            MonitorLink::Connect(fiber, container->id, on_exit));
  return absl::OkStatus();
}

void EndUnwatched(Fiber& fiber, Broker& broker, const ContainerPtr& container) {
  KillUnwatched(fiber, broker, *container);
  NoteExit(*container, {.lost = true});
  if (StoreExit(broker, container)) ReleaseMonitor(fiber, *container);
}

bool NoteExit(ContainerObject& container, const MonitorLink::Exit& exit) {
  auto record = container.record.edit();
  if (container.phase == Phase::kGone || record.getState() == ContainerState::EXITED) return false;
  record.setState(ContainerState::EXITED);
  record.setExitCode(exit.lost ? 255 : exit.code);
  record.setFinishedAtNs(exit.finished_at_ns > 0 ? exit.finished_at_ns : WallClockNs());
  record.setLostLogBytes(exit.lost_log_bytes);
  record.setReason(exit.lost         ? "MonitorLost"
                   : exit.oom_killed ? "OOMKilled"
                   : exit.code == 0  ? "Completed"
                                     : "Error");
  return true;
}

}  // namespace bulkhead::broker
