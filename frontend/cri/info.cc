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

}  // namespace

std::string InfoText(const json& info) {
  return info.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string PodInfo(schema::Pod::Reader pod) {
  const auto config = pod.getConfig();
  return InfoText({{"hostname", String(config.getHostname())},
                   {"cgroupParent", String(config.getCgroupParent())},
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
