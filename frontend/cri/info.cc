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

std::string PodInfo(schema::Pod::Reader pod) {
  const auto config = pod.getConfig();
  return InfoText({{"hostname", String(config.getHostname())},
                   {"cgroupParent", String(config.getCgroupParent())},
                   {"cgroup", String(pod.getCgroup())},
                   {"resources", Resources(pod.getResources())},
                   {"overhead", Resources(pod.getOverhead())},
                   {"logDirectory", String(config.getLogDirectory())},
                   {"privileged", config.getPrivileged()}});
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
