#include "broker/audit/effect.h"

namespace bulkhead::broker {
namespace {

using Source = schema::ContainerSpec::Namespaces::Source;

const char* SeccompName(schema::SecurityProfile::Type type) {
  switch (type) {
    case schema::SecurityProfile::Type::RUNTIME_DEFAULT:
      return "runtime-default";
    case schema::SecurityProfile::Type::UNCONFINED:
      return "unconfined";
    case schema::SecurityProfile::Type::LOCALHOST:
      return "localhost";
  }
  return "unknown";
}

void WriteMounts(schema::ContainerConfig::Reader config, schema::Effect::Builder effect) {
  auto mounts = config.getMounts();
  auto list = effect.initMounts(mounts.size());
  for (unsigned i = 0; i < mounts.size(); ++i) {
    list[i].setSource(mounts[i].getHostPath());
    list[i].setDestination(mounts[i].getContainerPath());
    list[i].setReadOnly(mounts[i].getReadonly());
  }
  auto devices = config.getDevices();
  auto paths = effect.initDevices(devices.size());
  for (unsigned i = 0; i < devices.size(); ++i) paths.set(i, devices[i].getHostPath());
}

}  // namespace

void WriteEffect(const ContainerObject& container, schema::Effect::Builder effect) {
  auto spec = container.spec.read();
  auto process = spec.getProcess();
  auto namespaces = spec.getNamespaces();
  effect.initConfigDigest().setBytes(
      kj::StringPtr(container.config_digest.data(), container.config_digest.size()).asBytes());
  effect.setUid(process.getUser().getUid());
  effect.setGid(process.getUser().getGid());
  effect.setCapabilities(process.getCapabilities());
  effect.setSeccomp(SeccompName(process.getSeccomp().getType()));
  effect.setNoNewPrivileges(process.getNoNewPrivileges());
  effect.setPrivileged(container.record.read().getConfig().getSecurity().getPrivileged());
  effect.setHostNetwork(namespaces.getNetwork() == Source::HOST);
  effect.setHostPid(namespaces.getPid() == Source::HOST);
  effect.setHostIpc(namespaces.getIpc() == Source::HOST);
  effect.setReadOnlyRootfs(spec.getReadOnlyRootfs());
  WriteMounts(container.record.read().getConfig(), effect);
}

}  // namespace bulkhead::broker
