#include "broker/operations/launch.h"

namespace bulkhead::broker {

void FillLaunch(Broker& broker, const ContainerObject& container, schema::LaunchJob::Builder job) {
  auto record = container.record.read();
  job.setPodId(record.getPodId());
  job.setContainerId(container.id);
  job.setRuntimeName(record.getRuntime());
  for (auto runtime : broker.config.getRuntimes()) {
    if (runtime.getName() == record.getRuntime()) job.setRuntimePath(runtime.getPath());
  }
  job.setCgroupMode(broker.config.getHost().getCgroupMode());
  job.setCgroupDriver(broker.config.getHost().getCgroupDriver());
}

}  // namespace bulkhead::broker
