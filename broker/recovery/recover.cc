#include "broker/recovery/recover.h"

#include <unistd.h>

#include "absl/strings/match.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/monitor/init_link.h"
#include "broker/network/network.h"
#include "broker/operations/container.h"
#include "broker/operations/image.h"
#include "broker/operations/layer.h"
#include "broker/operations/layer_store.h"
#include "broker/operations/list_directory.h"
#include "broker/operations/pod.h"
#include "broker/operations/remove.h"

namespace bulkhead::broker {
namespace {

using ContainerState = schema::Container::State;

void Report(absl::string_view what, absl::string_view id, const absl::Status& status) {
  if (status.ok()) return;
  base::Log(base::Severity::kError, "recovery could not finish",
            {{"what", what}, {"id", id}, {"why", status.message()}});
}

bool FromThisBoot(const Broker& broker, capnp::Data::Reader boot_id) {
  return kj::StringPtr(broker.boot_id.data(), broker.boot_id.size()).asBytes() == boot_id;
}

void ClearIngest(Broker& broker) {
  int ingest = broker.directories.ingest.get();
  auto names = ListDirectory(ingest);
  if (!names.ok()) return Report("ingest", "", names.status());
  for (const std::string& name : *names) unlinkat(ingest, name.c_str(), 0);
}

// Layers that were not on the disk when the node went down may be half there: they are none any
// more, and neither are their images, which will be pulled again.
void ForgetUnwritten(Broker& broker) {
  const std::string boot = base::ToHex(broker.boot_id);
  std::vector<std::string> lost, images;
  for (const auto& [hex, layer] : broker.state.layers()) {
    if (!layer.written_in_boot.empty() && layer.written_in_boot != boot) lost.push_back(hex);
  }
  for (const std::string& hex : lost) Report("layer", hex, broker.state.ForgetLayer(hex));
  for (const auto& [id, image] : broker.state.images()) {
    for (auto diff_id : image.read().getConfig().getDiffIds()) {
      if (broker.state.layers().contains(base::ToHex(DigestBytes(diff_id)))) continue;
      images.push_back(id);
      break;
    }
  }
  for (const std::string& id : images) {
    base::Log(base::Severity::kWarning, "an image lost a layer and has to be pulled again",
              {{"image", id}});
    Report("image", id, broker.state.ForgetImage(id));
  }
}

// Half-unpacked layers, and those whose row never came.
void ClearLayers(Fiber& fiber, Broker& broker) {
  auto names = ListDirectory(broker.directories.layers.get());
  if (!names.ok()) return Report("layers", "", names.status());
  for (const std::string& name : *names) {
    if (absl::StartsWith(name, "tmp-")) {
      Report("staging", name, RemoveStaging(fiber, broker, name));
    } else if (base::IsId(name) && !broker.state.layers().contains(name)) {
      Report("layer", name, RemoveLayerFiles(fiber, broker, name));
    }
  }
  Report("layers", "", CollectLayers(fiber, broker));
}

void MarkRebooted(Broker& broker, const ContainerPtr& container) {
  auto record = container->record.edit();
  if (record.getState() != ContainerState::EXITED) {
    record.setState(ContainerState::EXITED);
    record.setExitCode(255);
    record.setReason("Unknown");
    record.setMessage("the node was rebooted while the container ran");
    record.setFinishedAtNs(WallClockNs());
  }
  container->monitor = MonitorLink::Ended();
  Report("container", container->id, broker.state.Save(container));
}

// The monitor of a container that nobody asks it about any more. Of one that was half made, the
// launch may have come to its end without the broker, or be about to: it listens already.
std::shared_ptr<MonitorLink> FindMonitor(Fiber& fiber, const std::string& container_id) {
  auto link = MonitorLink::Connect(fiber, container_id, nullptr);
  return link.ok() ? *std::move(link) : MonitorLink::Ended();
}

void Rewatch(Fiber& fiber, Broker& broker, const ContainerPtr& container) {
  auto state = container->record.read().getState();
  if (state == ContainerState::EXITED) {
    // Its word was stored, but it was not told so before the broker ended.
    FindMonitor(fiber, container->id)->Acknowledge(fiber).IgnoreError();
    container->monitor = MonitorLink::Ended();
    return;
  }
  absl::Status watched = WatchContainer(fiber, broker, container);
  if (watched.ok()) {
    if (container->monitor->running()) {
      container->record.edit().setState(ContainerState::RUNNING);
    }
    return;
  }
  base::Log(base::Severity::kError, "a container lost its monitor",
            {{"container", container->id}, {"why", watched.message()}});
  container->monitor = MonitorLink::Ended();
  EndUnwatched(fiber, broker, container);
}

void RecoverContainer(Fiber& fiber, Broker& broker, const ContainerPtr& container) {
  if (container->phase != Phase::kActive) {
    auto held = container->mutex.Acquire(fiber);
    container->monitor = FindMonitor(fiber, container->id);
    return Report("container", container->id, DestroyContainer(fiber, broker, container));
  }
  if (!FromThisBoot(broker, container->record.read().getBootId())) {
    return MarkRebooted(broker, container);
  }
  Rewatch(fiber, broker, container);
}

void RecoverPod(Fiber& fiber, Broker& broker, const PodPtr& pod) {
  if (pod->phase != Phase::kActive) {
    auto held = pod->mutex.Acquire(fiber);
    return Report("pod", pod->id, DestroyPod(fiber, broker, pod));
  }
  if (!FromThisBoot(broker, pod->record.read().getBootId())) {
    pod->record.edit().setState(schema::Pod::State::NOT_READY);
    return Report("pod", pod->id, broker.state.Save(pod));
  }
  if (pod->record.read().getConfig().getPid() == schema::NamespaceMode::POD) {
    absl::StatusOr<InitLink> link = InitLink::Connect(fiber, pod->id);
    if (link.ok()) pod->init = std::make_shared<InitLink>(*std::move(link));
  }
}

// What no pod needs any longer is due: nobody will stop a pod that is gone, and with a reboot every
// network went.
void RecoverNetworks(Broker& broker) {
  for (const auto& [id, attachment] : broker.state.attachments()) {
    auto record = attachment->record.read();
    auto pod = broker.state.pods().find(id);
    bool gone = pod == broker.state.pods().end() ||
                pod->second->record.read().getState() != schema::Pod::State::READY;
    if (!gone && FromThisBoot(broker, record.getBootId())) continue;
    Report("network", id, MakeDue(broker, attachment));
  }
  broker.loop.Stay([&broker](Fiber& fiber) { PayDebts(fiber, broker); });
  broker.loop.Detach([&broker](Fiber& fiber) {
    absl::Status collected = CollectNetworkGarbage(fiber, broker);
    // Without a configuration there is nothing to ask.
    if (!absl::IsFailedPrecondition(collected)) Report("network garbage", "", collected);
  });
}

}  // namespace

void Recover(Fiber& fiber, Broker& broker) {
  ClearIngest(broker);
  ForgetUnwritten(broker);
  DropExpiredPulls(broker);
  // Copies: destroying one takes it out of the map.
  std::map<std::string, ContainerPtr> containers = broker.state.containers();
  for (const auto& [id, container] : containers) RecoverContainer(fiber, broker, container);
  std::map<std::string, PodPtr> pods = broker.state.pods();
  for (const auto& [id, pod] : pods) RecoverPod(fiber, broker, pod);
  ClearLayers(fiber, broker);
  WriteBack(broker);
  Report("blobs", "", CollectBlobs(broker));
  RecoverNetworks(broker);
}

}  // namespace bulkhead::broker
