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

}  // namespace

std::string InfoText(const json& info) {
  return info.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string PodInfo(schema::Pod::Reader pod, capnp::Data::Reader network_result) {
  const auto config = pod.getConfig();
  json info = {{"hostname", String(config.getHostname())},
               {"cgroupParent", String(config.getCgroupParent())},
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

std::string ContainerInfo(schema::Container::Reader container) {
  return InfoText({{"sandboxID", String(container.getPodId())},
                   {"runtime", String(container.getRuntime())},
                   {"runtimeChosenBy", String(container.getRuntimeRule())},
                   {"cgroup", String(container.getCgroup())},
                   {"layers", Digests(container.getLayers())},
                   {"privileged", container.getConfig().getSecurity().getPrivileged()}});
}

std::string ImageInfo(schema::Image::Reader image) {
  const auto in = image.getConfig();
  json config = {{"Entrypoint", Texts(in.getEntrypoint())},
                 {"Cmd", Texts(in.getCmd())},
                 {"WorkingDir", String(in.getWorkingDir())},
                 {"User", String(in.getUser())},
                 {"StopSignal", String(in.getStopSignal())},
                 {"Env", json::array()},
                 {"Labels", json::object()},
                 {"Volumes", json::object()}};
  for (const auto env : in.getEnv()) {
    config["Env"].push_back(absl::StrCat(String(env.getKey()), "=", String(env.getValue())));
  }
  for (const auto label : in.getLabels()) {
    config["Labels"][String(label.getKey())] = String(label.getValue());
  }
  for (const auto volume : in.getVolumes()) config["Volumes"][String(volume)] = json::object();
  return InfoText({{"imageSpec",
                    {{"os", String(in.getOs())},
                     {"architecture", String(in.getArchitecture())},
                     {"variant", String(in.getVariant())},
                     {"config", std::move(config)},
                     {"rootfs", {{"type", "layers"}, {"diff_ids", Digests(in.getDiffIds())}}}}}});
}

}  // namespace bulkhead::frontend
