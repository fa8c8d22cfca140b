#include "security/policy/pod_policy.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "security/policy/glob.h"
#include "security/policy/pod_refusal.h"
#include "security/policy/sysctl.h"

namespace bulkhead::security {
namespace {

constexpr char kContext[] = "config.linux.security_context";
constexpr char kNamespaces[] = "config.linux.security_context.namespace_options";
constexpr int64_t kDefaultPeriod = 100'000;
constexpr int64_t kThousandths = 1000;

// Kubernetes' list of those that every pod may have.
constexpr absl::string_view kSafeSysctls[] = {
    "kernel.shm_rmid_forced",           "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",        "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",     "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",      "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",          "net.ipv4.tcp_wmem",
};
// Of the Pod Security Standards.
constexpr absl::string_view kContainerTypes[] = {"", "container_t", "container_init_t",
                                                 "container_kvm_t", "container_engine_t"};

std::string In(absl::string_view field) { return absl::StrCat(kContext, ".", field); }

bool MatchesAny(absl::Span<const std::string> globs, absl::string_view text) {
  return std::any_of(globs.begin(), globs.end(),
                     [text](const std::string& glob) { return MatchesGlob(glob, text); });
}

template <typename List>
bool Contains(const List& list, absl::string_view text) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

absl::Status CheckSysctls(const PodPolicy& policy, absl::Span<const std::string> names) {
  for (const std::string& name : names) {
    BULKHEAD_ASSIGN_OR_RETURN(const std::string path, SysctlPath(name));
    const std::string dotted = absl::StrReplaceAll(path, {{"/", "."}});
    if (Contains(kSafeSysctls, dotted) || MatchesAny(policy.sysctls, dotted)) continue;
    return Refuse(policy, absl::StrCat("config.linux.sysctls[", name, "]"), "", "sysctls");
  }
  return absl::OkStatus();
}

absl::Status CheckHostPorts(const PodPolicy& policy, absl::Span<const uint16_t> ports) {
  for (const uint16_t port : ports) {
    const bool granted =
        port == 0 || std::any_of(policy.host_ports.begin(), policy.host_ports.end(),
                                 [port](const PortRange& range) {
                                   return range.first <= port && port <= range.last;
                                 });
    if (!granted) {
      return Refuse(policy, "config.port_mappings.host_port", absl::StrCat(port), "host_ports");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRuntime(const PodPolicy& policy, const std::string& runtime) {
  if (runtime.empty() || MatchesAny(policy.runtimes, runtime)) return absl::OkStatus();
  return Refuse(policy, "runtime_handler", runtime, "runtimes");
}

absl::Status CheckLogPath(const PodPolicy& policy, absl::string_view field,
                          const std::string& path) {
  const bool granted = path.empty() || std::any_of(policy.log_dirs.begin(), policy.log_dirs.end(),
                                                   [&](const std::string& prefix) {
                                                     return LiesBelow(prefix, path);
                                                   });
  return granted ? absl::OkStatus() : Refuse(policy, field, path, "log_dirs");
}

// Pods and containers name the same ones.
template <typename Facts>
absl::Status CheckNamespaces(const PodPolicy& policy, const Facts& facts) {
  const auto field = [](const char* name) { return absl::StrCat(kNamespaces, ".", name); };
  if (facts.host_network && !policy.host_network) {
    return Refuse(policy, field("network"), "NODE", "host_network");
  }
  if (facts.host_pid && !policy.host_pid) {
    return Refuse(policy, field("pid"), "NODE", "host_pid");
  }
  if (facts.host_ipc && !policy.host_ipc) {
    return Refuse(policy, field("ipc"), "NODE", "host_ipc");
  }
  if (policy.user_namespace_required && !facts.user_namespace) {
    return Refuse(policy, field("userns_options"), "no user namespace of its own",
                  "user_namespace_required");
  }
  return absl::OkStatus();
}

absl::Status CheckDevices(const PodPolicy& policy, const ContainerFacts& facts) {
  for (const std::string& device : facts.devices) {
    const bool granted =
        std::any_of(policy.devices.begin(), policy.devices.end(),
                    [&](const std::string& prefix) { return LiesBelow(prefix, device); });
    if (!granted) return Refuse(policy, "config.devices", device, "devices");
  }
  for (const std::string& name : facts.cdi) {
    if (!MatchesAny(policy.cdi, name)) return Refuse(policy, "config.CDI_devices", name, "cdi");
  }
  if (facts.hooks && policy.cdi.empty()) {
    return Refuse(policy, "config.CDI_devices", "hooks", "cdi");
  }
  return absl::OkStatus();
}

absl::Status CheckMandatoryAccess(const PodPolicy& policy, const ContainerFacts& facts) {
  if (!facts.apparmor.empty() && !policy.apparmor_overrides) {
    return Refuse(policy, In("apparmor"), "", "apparmor_overrides");
  }
  const bool usual = facts.selinux_user.empty() && facts.selinux_role.empty() &&
                     Contains(kContainerTypes, facts.selinux_type);
  if (usual || policy.selinux_overrides) return absl::OkStatus();
  return Refuse(policy, In("selinux_options"), "", "selinux_overrides");
}

// What is to be written into a cgroup's file, against a ceiling (0: none).
bool IsOver(const std::string& text, uint64_t most) {
  uint64_t number = 0;
  return most > 0 && !text.empty() && (!absl::SimpleAtoi(text, &number) || number > most);
}

absl::Status CheckSeccomp(const PodPolicy& policy, const ProcessFacts& facts) {
  if (facts.seccomp_unconfined && !policy.seccomp_unconfined) {
    return Refuse(policy, In("seccomp"), "Unconfined", "seccomp_unconfined");
  }
  if (facts.seccomp_localhost && !policy.seccomp_localhost) {
    return Refuse(policy, In("seccomp"), "Localhost", "seccomp_localhost");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<const PodPolicy*> PodPolicies::For(absl::string_view kubernetes_namespace) const {
  const auto section = namespaces.find(std::string(kubernetes_namespace));
  if (section == namespaces.end()) return {&node};
  if (namespaces_trusted) return {&section->second};
  return {&node, &section->second};
}

absl::Status CheckProgram(const PodPolicies& policies, const std::string& handler,
                          absl::string_view path) {
  const auto program = policies.programs.find(handler);
  if (program != policies.programs.end() && program->second == path) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("runtime ", handler, ": not with this program in the node's configuration"));
}

absl::Status CheckPod(const PodPolicy& policy, const PodFacts& facts) {
  if (facts.privileged && !policy.privileged) {
    return Refuse(policy, In("privileged"), "", "privileged");
  }
  BULKHEAD_RETURN_IF_ERROR(CheckNamespaces(policy, facts));
  BULKHEAD_RETURN_IF_ERROR(CheckSysctls(policy, facts.sysctls));
  BULKHEAD_RETURN_IF_ERROR(CheckHostPorts(policy, facts.host_ports));
  BULKHEAD_RETURN_IF_ERROR(CheckLogPath(policy, "config.log_directory", facts.log_directory));
  return CheckRuntime(policy, facts.runtime);
}

absl::Status CheckContainer(const PodPolicy& policy, const ContainerFacts& facts) {
  if (facts.privileged && !policy.privileged) {
    return Refuse(policy, In("privileged"), "", "privileged");
  }
  BULKHEAD_RETURN_IF_ERROR(CheckNamespaces(policy, facts));
  // What it mounts there, the node sees.
  if (facts.shares_mounts && !policy.privileged) {
    return Refuse(policy, "config.mounts.propagation", "PROPAGATION_BIDIRECTIONAL", "privileged");
  }
  if (facts.unmasked_proc && !policy.unmasked_proc) {
    return Refuse(policy, In("masked_paths"), "or readonly_paths: not those of a default /proc",
                  "unmasked_proc");
  }
  BULKHEAD_RETURN_IF_ERROR(CheckDevices(policy, facts));
  BULKHEAD_RETURN_IF_ERROR(CheckMandatoryAccess(policy, facts));
  BULKHEAD_RETURN_IF_ERROR(CheckRuntime(policy, facts.runtime));
  BULKHEAD_RETURN_IF_ERROR(CheckLogPath(policy, "config.log_path", facts.log_path));
  BULKHEAD_RETURN_IF_ERROR(CheckProcess(policy, facts.process));
  return CheckLimits(policy, facts.limits);
}

absl::Status CheckProcess(const PodPolicy& policy, const ProcessFacts& facts) {
  const uint64_t over = facts.capabilities & ~policy.capabilities;
  if (over != 0) {
    return Refuse(policy, In("capabilities"), PodCapabilityName(__builtin_ctzll(over)),
                  "capabilities");
  }
  if (!facts.no_new_privs && !policy.privilege_escalation) {
    return Refuse(policy, In("no_new_privs"), "not set", "privilege_escalation");
  }
  if (facts.uid == 0u && !policy.run_as_root) {
    return Refuse(policy, In("run_as_user"), "0", "run_as_root");
  }
  return CheckSeccomp(policy, facts);
}

absl::Status CheckLimits(const PodPolicy& policy, const LimitFacts& facts) {
  constexpr char kResources[] = "config.linux.resources";
  if (policy.memory_max > 0 &&
      (facts.memory <= 0 || static_cast<uint64_t>(facts.memory) > policy.memory_max)) {
    return Refuse(policy, absl::StrCat(kResources, ".memory_limit_in_bytes"),
                  facts.memory <= 0 ? "no limit" : absl::StrCat(facts.memory), "memory_max");
  }
  const int64_t period = facts.cpu_period > 0 ? facts.cpu_period : kDefaultPeriod;
  if (policy.cpu_max > 0 &&
      (facts.cpu_quota <= 0 ||
       static_cast<__int128>(facts.cpu_quota) * kThousandths >
           static_cast<__int128>(period) * static_cast<int64_t>(policy.cpu_max))) {
    return Refuse(policy, absl::StrCat(kResources, ".cpu_quota"),
                  facts.cpu_quota <= 0 ? "no limit" : absl::StrCat(facts.cpu_quota), "cpu_max");
  }
  if (IsOver(facts.memory_file, policy.memory_max)) {
    return Refuse(policy, absl::StrCat(kResources, ".unified[memory.max]"), facts.memory_file,
                  "memory_max");
  }
  if (policy.cpu_max > 0 && !facts.cpu_file.empty()) {
    return Refuse(policy, absl::StrCat(kResources, ".unified[cpu.max]"), facts.cpu_file, "cpu_max");
  }
  if (IsOver(facts.pids_file, policy.pids_max)) {
    return Refuse(policy, absl::StrCat(kResources, ".unified[pids.max]"), facts.pids_file,
                  "pids_max");
  }
  return absl::OkStatus();
}

absl::Status CheckStream(const PodPolicy& policy, PodStream stream) {
  switch (stream) {
    case PodStream::kExec:
      return policy.exec ? absl::OkStatus() : Refuse(policy, "exec", "", "exec");
    case PodStream::kAttach:
      return policy.attach ? absl::OkStatus() : Refuse(policy, "attach", "", "attach");
    case PodStream::kPortForward:
      return policy.port_forward ? absl::OkStatus()
                                 : Refuse(policy, "port_forward", "", "port_forward");
  }
  return absl::InternalError("policy: no such stream");
}

}  // namespace bulkhead::security
