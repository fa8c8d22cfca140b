#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/ids.h"
#include "tools/config/pod_policy.h"

namespace bulkhead::tools {
namespace {

using security::PodPolicy;

std::string Quoted(const std::string& text) { return absl::StrCat("\"", text, "\""); }

// A TOML array of what one makes of each element.
template <typename List, typename F>
std::string Array(const List& list, F one) {
  return absl::StrCat("[",
                      absl::StrJoin(list, ", ",
                                    [&](std::string* out, const auto& element) {
                                      absl::StrAppend(out, one(element));
                                    }),
                      "]");
}

std::string Capabilities(uint64_t mask) {
  if (mask == ~uint64_t{0}) return "[\"ALL\"]";
  std::vector<std::string> names;
  for (int i = 0; i <= security::kLastPodCapability; ++i) {
    if ((mask >> i & 1) != 0) names.push_back(security::PodCapabilityName(i).substr(4));
  }
  return Array(names, Quoted);
}

std::string HostPath(const security::PathRule& rule) {
  if (!rule.read_only) return Quoted(rule.prefix);
  return absl::StrCat("{path = ", Quoted(rule.prefix), ", read_only = true}");
}

std::string Ports(const security::PortRange& range) {
  if (range.first == range.last) return Quoted(absl::StrCat(range.first));
  return Quoted(absl::StrCat(range.first, "-", range.last));
}

std::string Table(const PodPolicy& policy) {
  std::string text = absl::StrCat("[", policy.table, "]\n");
  const auto line = [&text](absl::string_view key, absl::string_view value) {
    absl::StrAppend(&text, key, " = ", value, "\n");
  };
  line("profile", Quoted(policy.profile));
  for (const security::PodFlag& flag : security::PodFlags()) {
    line(flag.key, policy.*flag.member ? "true" : "false");
  }
  line("capabilities", Capabilities(policy.capabilities));
  line("kubelet_root", Quoted(policy.kubelet_root));
  line("host_paths", Array(policy.host_paths, HostPath));
  line("log_dirs", Array(policy.log_dirs, Quoted));
  line("devices", Array(policy.devices, Quoted));
  line("cdi", Array(policy.cdi, Quoted));
  line("sysctls", Array(policy.sysctls, Quoted));
  line("host_ports", Array(policy.host_ports, Ports));
  line("runtimes", Array(policy.runtimes, Quoted));
  line("memory_max", absl::StrCat(policy.memory_max));
  line("cpu_max", absl::StrCat(policy.cpu_max));
  line("pids_max", absl::StrCat(policy.pids_max));
  return text;
}

}  // namespace

std::string PodPolicyText(const security::PodPolicies& policies) {
  std::string text = absl::StrCat("# sha256 ", base::ToHex(policies.hash), "\n");
  std::string node = Table(policies.node);
  absl::StrAppend(&text, node,
                  "namespaces_trusted = ", policies.namespaces_trusted ? "true" : "false", "\n");
  for (const auto& [name, policy] : policies.namespaces) {
    absl::StrAppend(&text, "\n", Table(policy));
  }
  return text;
}

}  // namespace bulkhead::tools
