#include "tools/explain/manifest.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/status.h"
#include "security/workload/defaults.h"
#include "tools/explain/quantity.h"

namespace bulkhead::tools {
namespace {

using nlohmann::json;
using security::ContainerFacts;
using security::PodFacts;

constexpr int kMaxDepth = 64;

// What is not there, or of another kind, is as if it were not said: kubelet would have refused it.
const json& At(const json& object, const char* key) {
  static const json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}
std::string TextAt(const json& object, const char* key) {
  const json& value = At(object, key);
  return value.is_string() ? value.get<std::string>() : "";
}
bool FlagAt(const json& object, const char* key, bool unsaid = false) {
  const json& value = At(object, key);
  return value.is_boolean() ? value.get<bool>() : unsaid;
}
std::optional<int64_t> NumberAt(const json& object, const char* key) {
  const json& value = At(object, key);
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<int64_t>();
}
// The container's word, else the pod's.
const json& Either(const json& container, const json& pod, const char* key) {
  const json& own = At(container, key);
  return own.is_null() ? At(pod, key) : own;
}

uint64_t MaskOf(const json& names) {
  uint64_t mask = 0;
  if (!names.is_array()) return mask;
  for (const json& name : names) {
    if (!name.is_string()) continue;
    const int number = security::PodCapabilityNumber(name.get<std::string>());
    if (number >= 0) mask |= uint64_t{1} << number;
    if (name == "ALL") mask |= security::kAllPodCapabilities;
  }
  return mask;
}

// As the broker plans them: named ones win over "ALL".
uint64_t CapabilitiesOf(const json& context) {
  if (FlagAt(context, "privileged")) return security::kAllPodCapabilities;
  const uint64_t add = MaskOf(At(At(context, "capabilities"), "add"));
  const uint64_t drop = MaskOf(At(At(context, "capabilities"), "drop"));
  uint64_t set = security::DefaultCapabilities();
  if (drop == security::kAllPodCapabilities) return add;
  return (set | add) & ~drop;
}

void AddSeccomp(const json& context, const json& pod, bool seccomp_default,
                security::ProcessFacts* facts) {
  const std::string type = TextAt(Either(context, pod, "seccompProfile"), "type");
  facts->seccomp_localhost = type == "Localhost";
  facts->seccomp_unconfined =
      type == "Unconfined" || (type.empty() && !seccomp_default) || FlagAt(context, "privileged");
}

void AddUser(const std::string& field, const json& context, const json& pod, ContainerFacts* facts,
             PodWish* wish) {
  const json& user = Either(context, pod, "runAsUser");
  if (user.is_number_integer()) {
    const int64_t uid = user.get<int64_t>();
    facts->process.uid = uid == 0 ? 0u : 1u;
    return;
  }
  const json& non_root = Either(context, pod, "runAsNonRoot");
  if (non_root.is_boolean() && non_root.get<bool>()) return;  // kubelet sees to it
  wish->unknown.push_back(absl::StrCat(
      field, ": runs as its image's user; root is refused where run_as_root is false"));
}

void AddMandatoryAccess(const json& context, const json& pod, ContainerFacts* facts) {
  const json& label = Either(context, pod, "seLinuxOptions");
  facts->selinux_user = TextAt(label, "user");
  facts->selinux_role = TextAt(label, "role");
  facts->selinux_type = TextAt(label, "type");
  const json& apparmor = Either(context, pod, "appArmorProfile");
  if (TextAt(apparmor, "type") == "Localhost") {
    facts->apparmor = TextAt(apparmor, "localhostProfile");
  }
}

void AddLimits(const json& container, ContainerFacts* facts) {
  const json& limits = At(At(container, "resources"), "limits");
  facts->limits.memory = ParseQuantity(At(limits, "memory")).value_or(0);
  // Milliprocessors are hundreds of microseconds of the usual period.
  facts->limits.cpu_quota = ParseMilliQuantity(At(limits, "cpu")).value_or(0) * 100;
}

const json* FindVolume(const json& spec, const std::string& name) {
  const json& volumes = At(spec, "volumes");
  if (!volumes.is_array()) return nullptr;
  for (const json& volume : volumes) {
    if (TextAt(volume, "name") == name) return &volume;
  }
  return nullptr;
}

void AddMounts(const json& container, const json& spec, ContainerWish* wish) {
  const json& mounts = At(container, "volumeMounts");
  if (!mounts.is_array()) return;
  for (size_t i = 0; i < mounts.size(); ++i) {
    const std::string propagation = TextAt(mounts[i], "mountPropagation");
    wish->facts.shares_mounts |= propagation == "Bidirectional";
    const json* volume = FindVolume(spec, TextAt(mounts[i], "name"));
    if (volume == nullptr || At(*volume, "hostPath").is_null()) continue;
    const std::string path = TextAt(At(*volume, "hostPath"), "path");
    wish->host_paths.push_back({absl::StrCat(wish->field, ".volumeMounts[", i, "]"),
                                base::CleanAbsolutePath("path", path).value_or(path),
                                FlagAt(mounts[i], "readOnly")});
  }
}

void AddContainer(const json& container, const json& spec, const std::string& field,
                  const ManifestOptions& options, PodWish* wish) {
  const json& context = At(container, "securityContext");
  const json& pod = At(spec, "securityContext");
  ContainerWish out;
  out.field = absl::StrCat(field, " (", TextAt(container, "name"), ")");
  ContainerFacts& facts = out.facts;
  facts.privileged = FlagAt(context, "privileged");
  facts.host_network = wish->facts.host_network;
  facts.host_pid = wish->facts.host_pid;
  facts.host_ipc = wish->facts.host_ipc;
  facts.user_namespace = wish->facts.user_namespace;
  facts.unmasked_proc = TextAt(context, "procMount") == "Unmasked" || facts.privileged;
  AddMandatoryAccess(context, pod, &facts);
  facts.process.capabilities = CapabilitiesOf(context);
  facts.process.no_new_privs =
      !FlagAt(context, "allowPrivilegeEscalation", true) && !facts.privileged;
  AddSeccomp(context, pod, options.seccomp_default, &facts.process);
  AddUser(out.field, context, pod, &facts, wish);
  AddLimits(container, &facts);
  AddMounts(container, spec, &out);
  const json& devices = At(container, "volumeDevices");
  if (devices.is_array() && !devices.empty()) {
    wish->unknown.push_back(
        absl::StrCat(out.field, ".volumeDevices: which device that is, only the node knows"));
  }
  const json& ports = At(container, "ports");
  for (size_t i = 0; ports.is_array() && i < ports.size(); ++i) {
    const int64_t port = NumberAt(ports[i], "hostPort").value_or(0);
    if (port > 0 && port <= UINT16_MAX && !wish->facts.host_network) {
      wish->facts.host_ports.push_back(static_cast<uint16_t>(port));
    }
  }
  wish->facts.privileged |= facts.privileged;
  wish->containers.push_back(std::move(out));
}

void ReadPod(const json& spec, PodFacts* facts) {
  facts->host_network = FlagAt(spec, "hostNetwork");
  facts->host_pid = FlagAt(spec, "hostPID");
  facts->host_ipc = FlagAt(spec, "hostIPC");
  facts->user_namespace = !FlagAt(spec, "hostUsers", true);
  const json& sysctls = At(At(spec, "securityContext"), "sysctls");
  if (!sysctls.is_array()) return;
  for (const json& sysctl : sysctls) facts->sysctls.push_back(TextAt(sysctl, "name"));
}

absl::StatusOr<json> Parse(absl::string_view text) {
  bool too_deep = false;
  const json::parser_callback_t bound = [&too_deep](int depth, json::parse_event_t, json&) {
    too_deep |= depth > kMaxDepth;
    return !too_deep;
  };
  json manifest = json::parse(text.begin(), text.end(), bound, /*allow_exceptions=*/false);
  if (too_deep) return absl::ResourceExhaustedError("manifest: too deep");
  if (manifest.is_discarded()) return absl::InvalidArgumentError("manifest: not JSON");
  return manifest;
}

}  // namespace

absl::StatusOr<PodWish> ReadManifest(absl::string_view text, const ManifestOptions& options) {
  if (text.size() > kMaxManifestBytes) return absl::ResourceExhaustedError("manifest: over 1 MiB");
  BULKHEAD_ASSIGN_OR_RETURN(const json manifest, Parse(text));
  const json& spec = At(manifest, "spec");
  if (TextAt(manifest, "kind") != "Pod" || !At(spec, "containers").is_array()) {
    return absl::InvalidArgumentError("manifest: not a Pod with containers");
  }
  PodWish wish;
  wish.kubernetes_namespace = TextAt(At(manifest, "metadata"), "namespace");
  ReadPod(spec, &wish.facts);
  if (!TextAt(spec, "runtimeClassName").empty()) {
    wish.unknown.push_back("spec.runtimeClassName: which handler that is, only the cluster knows");
  }
  for (const char* list : {"initContainers", "containers", "ephemeralContainers"}) {
    const json& containers = At(spec, list);
    for (size_t i = 0; containers.is_array() && i < containers.size(); ++i) {
      AddContainer(containers[i], spec, absl::StrCat("spec.", list, "[", i, "]"), options, &wish);
    }
  }
  return wish;
}

}  // namespace bulkhead::tools
