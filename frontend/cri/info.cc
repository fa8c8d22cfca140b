#include "frontend/cri/info.h"

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "frontend/cri/convert_common.h"

namespace bulkhead::frontend {
namespace {

using nlohmann::json;

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
