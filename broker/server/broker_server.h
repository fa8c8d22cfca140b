#pragma once

#include <set>

#include "broker/broker.h"
#include "schema/broker.capnp.h"

namespace bulkhead::broker {

// The frontend's view of the broker: one method a call of schema/broker.capnp, each a few lines
// that hand the copied parameters to an operation. A camelCase method here is an entry point that a
// taken-over frontend can call.
class BrokerServer final : public schema::Broker::Server {
 public:
  explicit BrokerServer(Broker& broker) : broker_(broker) {}
  ~BrokerServer();

  kj::Promise<void> status(StatusContext context) override;
  kj::Promise<void> updateRuntimeConfig(UpdateRuntimeConfigContext context) override;
  kj::Promise<void> runPodSandbox(RunPodSandboxContext context) override;
  kj::Promise<void> stopPodSandbox(StopPodSandboxContext context) override;
  kj::Promise<void> removePodSandbox(RemovePodSandboxContext context) override;
  kj::Promise<void> podSandboxStatus(PodSandboxStatusContext context) override;
  kj::Promise<void> listPodSandboxes(ListPodSandboxesContext context) override;
  kj::Promise<void> createContainer(CreateContainerContext context) override;
  kj::Promise<void> startContainer(StartContainerContext context) override;
  kj::Promise<void> stopContainer(StopContainerContext context) override;
  kj::Promise<void> removeContainer(RemoveContainerContext context) override;
  kj::Promise<void> containerStatus(ContainerStatusContext context) override;
  kj::Promise<void> listContainers(ListContainersContext context) override;
  kj::Promise<void> execSync(ExecSyncContext context) override;
  kj::Promise<void> exec(ExecContext context) override;
  kj::Promise<void> attach(AttachContext context) override;
  kj::Promise<void> portForward(PortForwardContext context) override;
  kj::Promise<void> pullImage(PullImageContext context) override;
  kj::Promise<void> imageStatus(ImageStatusContext context) override;
  kj::Promise<void> listImages(ListImagesContext context) override;
  kj::Promise<void> removeImage(RemoveImageContext context) override;
  kj::Promise<void> imageFsInfo(ImageFsInfoContext context) override;
  kj::Promise<void> reopenContainerLog(ReopenContainerLogContext context) override;
  kj::Promise<void> containerStats(ContainerStatsContext context) override;
  kj::Promise<void> podStats(PodStatsContext context) override;
  kj::Promise<void> subscribe(SubscribeContext context) override;
  kj::Promise<void> nextEvents(NextEventsContext context) override;
  kj::Promise<void> unsubscribe(UnsubscribeContext context) override;
  kj::Promise<void> updatePodResources(UpdatePodResourcesContext context) override;
  kj::Promise<void> updateContainerResources(UpdateContainerResourcesContext context) override;

 private:
  Broker& broker_;
  std::set<uint64_t> subscriptions_;  // of this connection, with which they end
};

}  // namespace bulkhead::broker
