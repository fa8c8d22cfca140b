#include "base/status.h"
#include "broker/monitor/monitor_link.h"
#include "broker/operations/stats.h"
#include "broker/server/answer.h"
#include "broker/server/broker_server.h"

namespace bulkhead::broker {
namespace {

uint64_t LostLogBytes(const ContainerObject& container) {
  if (container.monitor == nullptr || container.monitor->exited()) {
    return container.record.read().getLostLogBytes();
  }
  return container.monitor->lost_log_bytes();
}

void Fill(const ContainerLook& look, schema::ContainerStats::Builder out) {
  auto record = look.container->record.read();
  auto config = record.getConfig();
  out.setId(record.getId());
  out.setPodId(record.getPodId());
  out.setName(config.getName());
  out.setAttempt(config.getAttempt());
  out.setLabels(config.getLabels());
  out.setAnnotations(config.getAnnotations());
  out.setImage(config.getImage());
  out.setStartedAtNs(record.getStartedAtNs());
  out.setLostLogBytes(LostLogBytes(*look.container));
  out.setResources(config.getResources());
  out.setDiskTimestampNs(look.disk.at_ns);
  out.setDiskBytes(look.disk.bytes);
  out.setDiskInodes(look.disk.inodes);
  out.setNanoCores(look.nano_cores);
  out.setRunning(look.usage.has_value());
  if (look.usage.has_value()) out.setUsage(look.usage->read());
  out.setDescriptors(look.handles.descriptors);
  out.setSockets(look.handles.sockets);
}

void Fill(const PodLook& look, schema::PodStats::Builder out) {
  auto record = look.pod->record.read();
  out.setId(record.getId());
  out.setConfig(record.getConfig());
  out.setCreatedAtNs(record.getCreatedAtNs());
  out.setUsage(look.usage.read());
  out.setNanoCores(look.nano_cores);
  out.setHasNetwork(look.network.has_value());
  if (look.network.has_value()) out.setNetwork(look.network->read());
  auto containers = out.initContainers(look.containers.size());
  for (size_t i = 0; i < look.containers.size(); ++i) Fill(look.containers[i], containers[i]);
}

}  // namespace

kj::Promise<void> BrokerServer::containerStats(ContainerStatsContext context) {
  auto filter = std::make_shared<Record<schema::ContainerFilter>>(context.getParams().getFilter());
  filter->edit().setHasState(false);
  return Answer(
      broker_.loop, context,
      [this, filter](Fiber& fiber) { return LookAtContainers(fiber, broker_, filter->read()); },
      [](auto results, const std::vector<ContainerLook>& looks) {
        auto list = results.initContainers(looks.size());
        for (size_t i = 0; i < looks.size(); ++i) Fill(looks[i], list[i]);
      });
}

kj::Promise<void> BrokerServer::podStats(PodStatsContext context) {
  auto filter = std::make_shared<Record<schema::PodFilter>>(context.getParams().getFilter());
  const bool handles = context.getParams().getHandles();
  return Answer(
      broker_.loop, context,
      [this, filter, handles](Fiber& fiber) {
        auto looks = LookAtPods(fiber, broker_, filter->read());
        if (looks.ok() && handles) LookAtHandles(fiber, broker_, *looks);
        return looks;
      },
      [this](auto results, const std::vector<PodLook>& looks) {
        results.setFsBytes(broker_.stats.fs_bytes);
        results.setFsInodes(broker_.stats.fs_inodes);
        results.setFsInodesFree(broker_.stats.fs_inodes_free);
        auto list = results.initPods(looks.size());
        for (size_t i = 0; i < looks.size(); ++i) Fill(looks[i], list[i]);
      });
}

}  // namespace bulkhead::broker
