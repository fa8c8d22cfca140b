#include "base/status.h"
#include "broker/monitor/init_link.h"
#include "broker/monitor/monitor_link.h"
#include "broker/network/network.h"
#include "broker/operations/container.h"
#include "broker/operations/pod.h"
#include "broker/operations/pod_cgroup.h"
#include "broker/spawner/worker.h"
#include "schema/worker/sandbox.capnp.h"

namespace bulkhead::broker {
namespace {

absl::Status RemoveNamespaces(Fiber& fiber, Broker& broker, const std::string& pod_id) {
  broker.stats.networks.erase(pod_id);  // it would keep the network alive
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::SandboxJob>();
  job.setPodId(pod_id);
  job.setRemove();
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kSandbox, message));
  return worker->Finish<schema::SandboxResult>(fiber);
}

// Ends a shared PID namespace. After a restart of the broker the link may have to be found again.
void EndInit(Fiber& fiber, PodObject& pod) {
  if (pod.record.read().getConfig().getPid() != schema::NamespaceMode::POD) return;
  if (pod.init == nullptr) {
    absl::StatusOr<InitLink> link = InitLink::Connect(fiber, pod.id);
    if (link.ok()) pod.init = std::make_shared<InitLink>(*std::move(link));
  }
  if (pod.init != nullptr) pod.init->End(fiber);
  pod.init.reset();
  RemoveMonitorSocket(pod.id);
}

absl::Status StopHeld(Fiber& fiber, Broker& broker, const PodPtr& pod) {
  for (const ContainerPtr& container : broker.state.ContainersOf(pod->id)) {
    BULKHEAD_RETURN_IF_ERROR(KillContainer(fiber, broker, container));
  }
  EndInit(fiber, *pod);
  if (pod->record.read().getState() == schema::Pod::State::READY) {
    pod->record.edit().setState(schema::Pod::State::NOT_READY);
    BULKHEAD_RETURN_IF_ERROR(broker.state.Save(pod));
  }
  BULKHEAD_RETURN_IF_ERROR(DetachPod(fiber, broker, pod->id));
  return RemoveNamespaces(fiber, broker, pod->id);
}

}  // namespace

absl::Status StopPod(Fiber& fiber, Broker& broker, const std::string& id) {
  absl::StatusOr<PodPtr> pod = broker.state.FindPod(id);
  if (absl::IsNotFound(pod.status())) return absl::OkStatus();
  if (!pod.ok()) return pod.status();
  auto held = (*pod)->mutex.Acquire(fiber);
  if ((*pod)->phase == Phase::kGone) return absl::OkStatus();
  return StopHeld(fiber, broker, *pod);
}

absl::Status RemovePod(Fiber& fiber, Broker& broker, const std::string& id) {
  absl::StatusOr<PodPtr> pod = broker.state.FindPod(id);
  if (absl::IsNotFound(pod.status())) return absl::OkStatus();
  if (!pod.ok()) return pod.status();
  auto held = (*pod)->mutex.Acquire(fiber);
  if ((*pod)->phase == Phase::kGone) return absl::OkStatus();
  return DestroyPod(fiber, broker, *pod);
}

absl::Status DestroyPod(Fiber& fiber, Broker& broker, const PodPtr& pod) {
  pod->phase = Phase::kRemoving;
  pod->record.edit().setState(schema::Pod::State::NOT_READY);
  BULKHEAD_RETURN_IF_ERROR(broker.state.Save(pod));
  for (const ContainerPtr& container : broker.state.ContainersOf(pod->id)) {
    auto held = container->mutex.Acquire(fiber);
    if (container->phase == Phase::kGone) continue;
    BULKHEAD_RETURN_IF_ERROR(DestroyContainer(fiber, broker, container));
  }
  EndInit(fiber, *pod);
  BULKHEAD_RETURN_IF_ERROR(DetachPod(fiber, broker, pod->id));
  PodCgroupRemoving cgroup;
  BULKHEAD_RETURN_IF_ERROR(cgroup.Begin(fiber, broker, *pod));
  BULKHEAD_RETURN_IF_ERROR(RemoveNamespaces(fiber, broker, pod->id));
  BULKHEAD_RETURN_IF_ERROR(cgroup.Finish(fiber));
  return broker.state.Forget(pod);
}

}  // namespace bulkhead::broker
