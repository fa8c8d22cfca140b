#include "tools/explain/verdict.h"

#include <functional>

#include "absl/strings/str_cat.h"

namespace bulkhead::tools {
namespace {

using security::PodPolicy;

// The rule of this key no longer stands in the way, so that the next one shows.
void Relax(const std::string& key, PodPolicy* policy) {
  const PodPolicy open = *security::PodProfile(security::kCompatible);
  for (const security::PodFlag& flag : security::PodFlags()) {
    if (key == flag.key) policy->*flag.member = open.*flag.member;
  }
  if (key == "capabilities") policy->capabilities = open.capabilities;
  if (key == "log_dirs") policy->log_dirs = open.log_dirs;
  if (key == "devices") policy->devices = open.devices;
  if (key == "cdi") policy->cdi = open.cdi;
  if (key == "sysctls") policy->sysctls = open.sysctls;
  if (key == "host_ports") policy->host_ports = open.host_ports;
  if (key == "runtimes") policy->runtimes = open.runtimes;
  if (key == "memory_max") policy->memory_max = open.memory_max;
  if (key == "cpu_max") policy->cpu_max = open.cpu_max;
  if (key == "pids_max") policy->pids_max = open.pids_max;
}

void AddRefusals(const PodPolicy& policy, const std::string& field,
                 const std::function<absl::Status(const PodPolicy&)>& check,
                 std::vector<std::string>* lines) {
  PodPolicy relaxed = policy;
  std::string last;
  for (;;) {
    const absl::Status status = check(relaxed);
    if (status.ok()) return;
    lines->push_back(absl::StrCat(field, ": ", status.message()));
    const std::string rule = security::RuleOf(status);
    if (rule.empty() || rule == last) return;
    last = rule;
    Relax(rule.substr(rule.rfind('.') + 1), &relaxed);
  }
}

void AddContainer(const PodPolicy& policy, const ContainerWish& wish,
                  std::vector<std::string>* lines) {
  AddRefusals(
      policy, wish.field,
      [&wish](const PodPolicy& one) { return security::CheckContainer(one, wish.facts); }, lines);
  for (const HostPathWish& path : wish.host_paths) {
    // Of no pod's own directory: a manifest names paths of the node alone.
    const absl::Status status =
        security::CheckHostPath(policy, "", path.field, path.path, path.read_only).status();
    if (!status.ok()) lines->push_back(std::string(status.message()));
  }
}

}  // namespace

std::vector<std::string> ExplainPod(const security::PodPolicies& policies,
                                    const std::string& kubernetes_namespace, const PodWish& wish) {
  std::vector<std::string> lines;
  for (const PodPolicy* policy : policies.For(kubernetes_namespace)) {
    AddRefusals(
        *policy, "spec",
        [&wish](const PodPolicy& one) { return security::CheckPod(one, wish.facts); }, &lines);
    for (const ContainerWish& container : wish.containers) {
      AddContainer(*policy, container, &lines);
    }
  }
  return lines;
}

}  // namespace bulkhead::tools
