#include "frontend/cri/info.h"

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "frontend/cri/convert_common.h"

namespace bulkhead::frontend {
namespace {

using nlohmann::json;

json Texts(capnp::List<capnp::Text>::Reader in) {
  json out = json::array();
  for (const auto text : in) out.push_back(String(text));
  return out;
}

const char* ModeName(schema::NamespaceMode mode) {
  switch (mode) {
    case schema::NamespaceMode::POD:
      return "pod";
    case schema::NamespaceMode::CONTAINER:
      return "container";
    case schema::NamespaceMode::NODE:
      return "node";
    case schema::NamespaceMode::TARGET:
      return "target";
  }
  return "unknown";
}

json Digests(capnp::List<schema::Digest>::Reader in) {
  json out = json::array();
  for (const auto digest : in) {
    out.push_back(absl::StrCat("sha256:", base::ToHex(String(digest.getBytes()))));
  }
  return out;
}

// Those of a pod as they are now; 0: not set.
json Resources(schema::Resources::Reader in) {
  return {{"cpuShares", in.getCpuShares()},
          {"cpuQuota", in.getCpuQuota()},
          {"cpuPeriod", in.getCpuPeriod()},
          {"memoryLimitInBytes", in.getMemoryLimit()}};
}

}  // namespace

std::string InfoText(const json& info) {
  return info.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string PodInfo(schema::Pod::Reader pod, capnp::Data::Reader network_result) {
  const auto config = pod.getConfig();
  json info = {{"hostname", String(config.getHostname())},
               {"cgroupParent", String(config.getCgroupParent())},
               {"cgroup", String(pod.getCgroup())},
               {"resources", Resources(pod.getResources())},
               {"overhead", Resources(pod.getOverhead())},
               {"logDirectory", String(config.getLogDirectory())},
               {"privileged", config.getPrivileged()},
               {"runtimeHandler", String(config.getHandler())},
               {"namespaces",
                {{"network", ModeName(config.getNetwork())},
                 {"pid", ModeName(config.getPid())},
                 {"ipc", ModeName(config.getIpc())},
                 {"user", ModeName(config.getUserNamespace())}}},
               {"dns",
                {{"servers", Texts(config.getDnsServers())},
                 {"searches", Texts(config.getDnsSearches())},
                 {"options", Texts(config.getDnsOptions())}}}};
  for (const auto sysctl : config.getSysctls()) {
    info["sysctls"][String(sysctl.getKey())] = String(sysctl.getValue());
  }
  for (const auto mapping : config.getPortMappings()) {
    info["portMappings"].push_back({{"hostPort", mapping.getHostPort()},
                                    {"containerPort", mapping.getContainerPort()},
                                    {"hostIP", String(mapping.getHostIp())}});
  }
  if (config.getNetwork() == schema::NamespaceMode::NODE) return InfoText(info);
  info["cni"] = {{"network", String(pod.getNetworkName())}};
  json result = json::parse(String(network_result), nullptr, /*allow_exceptions=*/false);
  if (!result.is_discarded()) info["cni"]["result"] = std::move(result);
  return InfoText(info);
}

// With the names that `crictl inspect` has shown of every runtime: sandboxID, pid, runtimeSpec.
std::string ContainerInfo(schema::Container::Reader container, capnp::Data::Reader specification) {
  json info = {{"sandboxID", String(container.getPodId())},
               {"pid", 0},
               {"removing", false},
               {"runtime", String(container.getRuntime())},
               {"runtimeChosenBy", String(container.getRuntimeRule())},
               {"cgroup", String(container.getCgroup())},
               {"layers", Digests(container.getLayers())},
               {"lostLogBytes", container.getLostLogBytes()},
               {"privileged", container.getConfig().getSecurity().getPrivileged()}};
  if (container.getState() != schema::Container::State::EXITED) info["pid"] = container.getPid();
  const std::string text = String(specification);
  json spec = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (spec.is_object()) info["runtimeSpec"] = std::move(spec);
  return InfoText(info);
}

}  // namespace bulkhead::frontend
