#include "base/status.h"
#include "broker/operations/container.h"
#include "broker/operations/image.h"
#include "broker/operations/launch.h"
#include "broker/operations/layer_mounts.h"
#include "broker/operations/remove.h"
#include "broker/spawner/worker.h"

namespace bulkhead::broker {
namespace {

absl::Status DeleteFromRuntime(Fiber& fiber, Broker& broker, const ContainerObject& container) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::LaunchJob>();
  FillLaunch(broker, container, job);
  job.setDelete();
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker,
      Worker::Start(fiber, broker.spawner, LaunchKind(broker, container.record.read().getRuntime()),
                    message));
  return worker->Finish<schema::LaunchResult>(fiber);
}

}  // namespace

absl::Status DestroyContainer(Fiber& fiber, Broker& broker, const ContainerPtr& container) {
  container->phase = Phase::kRemoving;
  BULKHEAD_RETURN_IF_ERROR(broker.state.Save(container));
  BULKHEAD_ASSIGN_OR_RETURN(auto remover,
                            Worker::Begin(fiber, broker.spawner, security::Kind::kRemove));
  BULKHEAD_RETURN_IF_ERROR(DeleteFromRuntime(fiber, broker, *container));
  if (container->monitor != nullptr) {
    // Its process is dead; a monitor that was never acknowledged may go now.
    container->monitor->WaitForExit(fiber, absl::Seconds(5));
    container->monitor->Acknowledge(fiber).IgnoreError();
    container->monitor.reset();
  }
  BULKHEAD_RETURN_IF_ERROR(RemoveContainerFiles(fiber, *remover, container->id));
  RemoveMonitorSocket(container->id);
  BULKHEAD_RETURN_IF_ERROR(broker.state.Forget(container));
  DropLayerMounts(broker, container->record.read().getLayers());
  return CollectLayers(fiber, broker);
}

absl::Status RemoveContainer(Fiber& fiber, Broker& broker, const std::string& id) {
  absl::StatusOr<ContainerPtr> found = broker.state.FindContainer(id);
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  if (!found.ok()) return found.status();
  const ContainerPtr& container = *found;
  auto held = container->mutex.Acquire(fiber);
  if (container->phase == Phase::kGone) return absl::OkStatus();
  return DestroyContainer(fiber, broker, container);
}

}  // namespace bulkhead::broker
