#include "broker/audit/operation.h"
#include "broker/network/network.h"
#include "broker/operations/pod.h"
#include "broker/operations/pod_cgroup.h"
#include "broker/plan/container_spec.h"
#include "broker/plan/runtime_choice.h"
#include "broker/server/answer.h"
#include "broker/server/broker_server.h"
#include "broker/server/filter.h"
#include "validate/network.h"
#include "validate/text.h"

namespace bulkhead::broker {
namespace {

struct Readiness {
  absl::Status status;  // an error is an answer here, not a failed call
};

}  // namespace

kj::Promise<void> BrokerServer::status(StatusContext context) {
  return Answer(
      broker_.loop, context,
      [this](Fiber& fiber) -> absl::StatusOr<Readiness> {
        return Readiness{NetworkReadiness(fiber, broker_)};
      },
      [this](auto results, const Readiness& state) {
        const absl::Status& network = state.status;
        absl::Status runtime = broker_.spawner.connected()
                                   ? CheckHandler(broker_.config, "")
                                   : absl::UnavailableError("the spawner is gone");
        results.setRuntimeReady(runtime.ok());
        results.setRuntimeReason(std::string(runtime.message()));
        results.setNetworkReady(network.ok());
        results.setNetworkReason(std::string(network.message()));
      });
}

kj::Promise<void> BrokerServer::updateRuntimeConfig(UpdateRuntimeConfigContext context) {
  auto subnets = validate::ReadPodCidr("runtime_config.network_config.pod_cidr",
                                       validate::View(context.getParams().getPodCidr()));
  ipc::WriteStatus(subnets.ok() ? SetPodRanges(broker_, *subnets) : subnets.status(),
                   context.getResults().initStatus());
  return kj::READY_NOW;
}

kj::Promise<void> BrokerServer::runPodSandbox(RunPodSandboxContext context) {
  auto config = std::make_shared<Record<schema::PodConfig>>(context.getParams().getConfig());
  return Answer(
      broker_.loop, context,
      [this, config](Fiber& fiber) {
        return Operation(fiber, broker_, "RunPodSandbox").Of(config->read()).Grows().RunForId([&] {
          return RunPod(fiber, broker_, config->read());
        });
      },
      [](auto results, const std::string& id) { results.setId(id); });
}

kj::Promise<void> BrokerServer::stopPodSandbox(StopPodSandboxContext context) {
  std::string id = context.getParams().getId();
  return Answer(broker_.loop, context, [this, id](Fiber& fiber) {
    return Operation(fiber, broker_, "StopPodSandbox", id).Run([&] {
      return StopPod(fiber, broker_, id);
    });
  });
}

kj::Promise<void> BrokerServer::removePodSandbox(RemovePodSandboxContext context) {
  std::string id = context.getParams().getId();
  return Answer(broker_.loop, context, [this, id](Fiber& fiber) {
    return Operation(fiber, broker_, "RemovePodSandbox", id).Run([&] {
      return RemovePod(fiber, broker_, id);
    });
  });
}

kj::Promise<void> BrokerServer::updatePodResources(UpdatePodResourcesContext context) {
  auto params = std::make_shared<Record<UpdatePodResourcesParams>>(context.getParams());
  return Answer(broker_.loop, context, [this, params](Fiber& fiber) {
    auto asked = params->read();
    return Operation(fiber, broker_, "UpdatePodSandboxResources", asked.getId().cStr()).Run([&] {
      return UpdatePodResources(fiber, broker_, asked.getId().cStr(), asked.getOverhead(),
                                asked.getResources());
    });
  });
}

kj::Promise<void> BrokerServer::podSandboxStatus(PodSandboxStatusContext context) {
  auto results = context.getResults();
  auto pod = broker_.state.FindPod(context.getParams().getId().cStr());
  ipc::WriteStatus(pod.status(), results.initStatus());
  if (!pod.ok()) return kj::READY_NOW;
  results.setPod((*pod)->record.read());
  if (AttachmentPtr attachment = broker_.state.FindAttachment((*pod)->id)) {
    results.setNetworkResult(attachment->record.read().getResult());
  }
  auto containers = broker_.state.ContainersOf((*pod)->id);
  auto list = results.initContainers(containers.size());
  for (size_t i = 0; i < containers.size(); ++i) {
    list.setWithCaveats(i, containers[i]->record.read());
  }
  return kj::READY_NOW;
}

kj::Promise<void> BrokerServer::listPodSandboxes(ListPodSandboxesContext context) {
  std::vector<PodPtr> matching;
  for (const auto& [id, pod] : broker_.state.pods()) {
    // One in the making has no address yet; kubelet would take it for a failed one.
    if (pod->phase != Phase::kCreating && Matches(*pod, context.getParams().getFilter())) {
      matching.push_back(pod);
    }
  }
  auto list = context.getResults().initPods(matching.size());
  for (size_t i = 0; i < matching.size(); ++i) list.setWithCaveats(i, matching[i]->record.read());
  return kj::READY_NOW;
}

}  // namespace bulkhead::broker
