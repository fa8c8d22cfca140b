#include "base/status.h"
#include "broker/operations/container.h"
#include "broker/operations/image.h"
#include "broker/operations/launch.h"
#include "broker/operations/layer_mounts.h"
#include "broker/operations/remove.h"
#include "broker/spawner/worker.h"

namespace bulkhead::broker {
namespace {

absl::StatusOr<std::unique_ptr<Worker>> BeginDelete(Fiber& fiber, Broker& broker,
                                                    const ContainerObject& container) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::LaunchJob>();
  FillLaunch(broker, container, job);
  job.setDelete();
  return Worker::Start(fiber, broker.spawner, LaunchKind(broker, container), message);
}

// The runtime forgets the container, and its writable directory goes: at the same time where its
// first process has ended, as each waits for the kernel more than it computes. What a process that
// outlived the first wrote meanwhile goes after the runtime has ended that one too.
absl::Status DeleteWhole(Fiber& fiber, Broker& broker, const ContainerObject& container) {
  BULKHEAD_ASSIGN_OR_RETURN(auto remover,
                            Worker::Begin(fiber, broker.spawner, security::Kind::kRemove));
  BULKHEAD_ASSIGN_OR_RETURN(auto runtime, BeginDelete(fiber, broker, container));
  if (container.record.read().getState() == schema::Container::State::EXITED) {
    const absl::Status removed = RemoveContainerFiles(fiber, *remover, container.id);
    BULKHEAD_RETURN_IF_ERROR(runtime->Finish<schema::LaunchResult>(fiber));
    if (removed.ok()) return absl::OkStatus();
    BULKHEAD_ASSIGN_OR_RETURN(remover,
                              Worker::Begin(fiber, broker.spawner, security::Kind::kRemove));
  } else {
    BULKHEAD_RETURN_IF_ERROR(runtime->Finish<schema::LaunchResult>(fiber));
  }
  return RemoveContainerFiles(fiber, *remover, container.id);
}

}  // namespace

absl::Status DestroyContainer(Fiber& fiber, Broker& broker, const ContainerPtr& container) {
  container->phase = Phase::kRemoving;
  BULKHEAD_RETURN_IF_ERROR(broker.state.Save(container));
  BULKHEAD_RETURN_IF_ERROR(DeleteWhole(fiber, broker, *container));
  if (container->monitor != nullptr) {
    // Its process is dead; a monitor that was never acknowledged may go now.
    container->monitor->WaitForExit(fiber, absl::Seconds(5));
    container->monitor->Acknowledge(fiber).IgnoreError();
    container->monitor.reset();
  }
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
