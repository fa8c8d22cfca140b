#include "broker/operations/launch.h"

#include "broker/operations/container.h"
#include "broker/spawner/worker.h"

namespace bulkhead::broker {

security::Kind LaunchKind(const Broker& broker, const ContainerObject& container) {
  const kj::StringPtr name = container.record.read().getRuntime();
  for (auto runtime : broker.config.getRuntimes()) {
    if (runtime.getName() == name && runtime.getType() == schema::Runtime::Type::LXC) {
      return security::Kind::kLxc;
    }
  }
  return security::Kind::kLaunch;
}

void FillLaunch(Broker& broker, const ContainerObject& container, schema::LaunchJob::Builder job) {
  auto record = container.record.read();
  job.setPodId(record.getPodId());
  job.setContainerId(container.id);
  if (auto pod = broker.state.FindPod(record.getPodId().cStr()); pod.ok()) {
    job.setPodNamespace((*pod)->record.read().getConfig().getNamespace());
  }
  job.setRuntimeName(record.getRuntime());
  for (auto runtime : broker.config.getRuntimes()) {
    if (runtime.getName() == record.getRuntime()) job.setRuntimePath(runtime.getPath());
  }
  job.setCgroupMode(broker.config.getHost().getCgroupMode());
  job.setCgroupDriver(broker.config.getHost().getCgroupDriver());
}

std::string DescribeContainer(Fiber& fiber, Broker& broker, const ContainerPtr& container) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::LaunchJob>();
  FillLaunch(broker, *container, job);
  job.setDescribe();
  auto worker = Worker::Start(fiber, broker.spawner, LaunchKind(broker, *container), message);
  if (!worker.ok()) return "";
  std::string text;
  absl::Status read = (*worker)->Finish<schema::LaunchResult>(
      fiber, [&](schema::LaunchResult::Reader result, std::vector<base::UniqueFd>&) {
        auto bytes = result.getStdout().asChars();
        text.assign(bytes.begin(), bytes.size());
        return absl::OkStatus();
      });
  return read.ok() ? text : "";
}

}  // namespace bulkhead::broker
