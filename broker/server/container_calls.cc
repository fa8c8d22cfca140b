#include "broker/audit/operation.h"
#include "broker/operations/container.h"
#include "broker/operations/pod_cgroup.h"
#include "broker/server/answer.h"
#include "broker/server/broker_server.h"
#include "broker/server/filter.h"

namespace bulkhead::broker {
namespace {

kj::ArrayPtr<const kj::byte> Bytes(const std::string& text) {
  return kj::arrayPtr(reinterpret_cast<const kj::byte*>(text.data()), text.size());
}

}  // namespace

kj::Promise<void> BrokerServer::createContainer(CreateContainerContext context) {
  std::string pod_id = context.getParams().getPodId();
  auto params = std::make_shared<Record<CreateContainerParams>>(context.getParams());
  return Answer(
      broker_.loop, context,
      [this, pod_id, params](Fiber& fiber) {
        auto asked = params->read();
        return Operation(fiber, broker_, "CreateContainer", pod_id)
            .Of(asked.getConfig())
            .Grows()
            .RunForId([&] {
              return CreateContainer(fiber, broker_, pod_id, asked.getConfig(), asked.getPod());
            });
      },
      [](auto results, const std::string& id) { results.setId(id); });
}

kj::Promise<void> BrokerServer::startContainer(StartContainerContext context) {
  std::string id = context.getParams().getId();
  return Answer(broker_.loop, context, [this, id](Fiber& fiber) {
    return Operation(fiber, broker_, "StartContainer", id).Run([&] {
      return StartContainer(fiber, broker_, id);
    });
  });
}

kj::Promise<void> BrokerServer::stopContainer(StopContainerContext context) {
  std::string id = context.getParams().getId();
  absl::Duration grace = absl::Seconds(context.getParams().getTimeoutSeconds());
  return Answer(broker_.loop, context, [this, id, grace](Fiber& fiber) {
    return Operation(fiber, broker_, "StopContainer", id).Run([&] {
      return StopContainer(fiber, broker_, id, grace);
    });
  });
}

kj::Promise<void> BrokerServer::removeContainer(RemoveContainerContext context) {
  std::string id = context.getParams().getId();
  return Answer(broker_.loop, context, [this, id](Fiber& fiber) {
    return Operation(fiber, broker_, "RemoveContainer", id).Run([&] {
      return RemoveContainer(fiber, broker_, id);
    });
  });
}

kj::Promise<void> BrokerServer::reopenContainerLog(ReopenContainerLogContext context) {
  std::string id = context.getParams().getId();
  return Answer(broker_.loop, context, [this, id](Fiber& fiber) {
    return Operation(fiber, broker_, "ReopenContainerLog", id).Run([&] {
      return ReopenLog(fiber, broker_, id);
    });
  });
}

kj::Promise<void> BrokerServer::containerStatus(ContainerStatusContext context) {
  auto container = broker_.state.FindContainer(context.getParams().getId().cStr());
  auto fill = [this](auto results, const ContainerPtr& found) {
    auto record = found->record.read();
    results.setContainer(record);
    if (found->monitor != nullptr && !found->monitor->exited()) {
      results.getContainer().setLostLogBytes(found->monitor->lost_log_bytes());
    }
    if (const auto* image = broker_.state.FindImage(record.getImageId().cStr())) {
      results.setImage(image->read());
    }
  };
  if (!container.ok() || !context.getParams().getVerbose()) {
    WriteOutcome(context.getResults(), container, fill);
    return kj::READY_NOW;
  }
  return Answer(
      broker_.loop, context,
      [this, found = *container](Fiber& fiber) {
        return absl::StatusOr<std::string>(DescribeContainer(fiber, broker_, found));
      },
      [fill, found = *container](auto results, const std::string& specification) {
        fill(results, found);
        results.setSpecification(Bytes(specification));
      });
}

kj::Promise<void> BrokerServer::listContainers(ListContainersContext context) {
  std::vector<ContainerPtr> matching;
  for (const auto& [id, container] : broker_.state.containers()) {
    if (container->phase != Phase::kCreating &&
        Matches(*container, context.getParams().getFilter())) {
      matching.push_back(container);
    }
  }
  auto list = context.getResults().initContainers(matching.size());
  for (size_t i = 0; i < matching.size(); ++i) list.setWithCaveats(i, matching[i]->record.read());
  return kj::READY_NOW;
}

kj::Promise<void> BrokerServer::updateContainerResources(UpdateContainerResourcesContext context) {
  auto params = std::make_shared<Record<UpdateContainerResourcesParams>>(context.getParams());
  return Answer(broker_.loop, context, [this, params](Fiber& fiber) {
    const std::string id = params->read().getId();
    return Operation(fiber, broker_, "UpdateContainerResources", id).Run([&] {
      return UpdateContainerResources(fiber, broker_, id, params->read().getResources());
    });
  });
}

kj::Promise<void> BrokerServer::execSync(ExecSyncContext context) {
  auto params = std::make_shared<Record<ExecSyncParams>>(context.getParams());
  return Answer(
      broker_.loop, context,
      [this, params](Fiber& fiber) {
        auto asked = params->read();
        std::string id = asked.getId().cStr();
        return Operation(fiber, broker_, "ExecSync", id).WithArguments(asked.getArgv()).Run([&] {
          return ExecSync(fiber, broker_, id, asked.getArgv(),
                          absl::Seconds(asked.getTimeoutSeconds()));
        });
      },
      [](auto results, const ExecResult& result) {
        results.setStdout(Bytes(result.out));
        results.setStderr(Bytes(result.err));
        results.setExitCode(result.exit_code);
      });
}

}  // namespace bulkhead::broker
