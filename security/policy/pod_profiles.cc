#include <linux/capability.h>

#include <initializer_list>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "security/policy/pod_policy.h"
#include "security/policy/pod_refusal.h"

namespace bulkhead::security {
namespace {

constexpr PodFlag kFlags[] = {
    {"privileged", &PodPolicy::privileged},
    {"host_network", &PodPolicy::host_network},
    {"host_pid", &PodPolicy::host_pid},
    {"host_ipc", &PodPolicy::host_ipc},
    {"user_namespace_required", &PodPolicy::user_namespace_required},
    {"seccomp_unconfined", &PodPolicy::seccomp_unconfined},
    {"seccomp_localhost", &PodPolicy::seccomp_localhost},
    {"privilege_escalation", &PodPolicy::privilege_escalation},
    {"run_as_root", &PodPolicy::run_as_root},
    {"unmasked_proc", &PodPolicy::unmasked_proc},
    {"apparmor_overrides", &PodPolicy::apparmor_overrides},
    {"selinux_overrides", &PodPolicy::selinux_overrides},
    {"exec", &PodPolicy::exec},
    {"attach", &PodPolicy::attach},
    {"port_forward", &PodPolicy::port_forward},
};

constexpr const char* kCapabilities[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};
static_assert(std::size(kCapabilities) == kLastPodCapability + 1);

uint64_t Mask(std::initializer_list<int> numbers) {
  uint64_t mask = 0;
  for (int number : numbers) mask |= uint64_t{1} << number;
  return mask;
}

PodPolicy Compatible() {
  PodPolicy policy;
  for (const PodFlag& flag : kFlags) policy.*flag.member = true;
  policy.user_namespace_required = false;
  policy.capabilities = ~uint64_t{0};
  policy.host_paths = {{"/", false}};
  policy.log_dirs = {"/"};
  policy.devices = {"/"};
  policy.cdi = {"**"};
  policy.sysctls = {"**"};
  policy.host_ports = {{1, UINT16_MAX}};
  policy.runtimes = {"**"};
  return policy;
}

PodPolicy Baseline() {
  PodPolicy policy;
  for (bool PodPolicy::*granted :
       {&PodPolicy::seccomp_localhost, &PodPolicy::privilege_escalation, &PodPolicy::run_as_root,
        &PodPolicy::apparmor_overrides, &PodPolicy::exec, &PodPolicy::attach,
        &PodPolicy::port_forward}) {
    policy.*granted = true;
  }
  // Those that the standard lets a pod add, and NET_RAW, which containers have that add nothing.
  policy.capabilities = Mask({CAP_AUDIT_WRITE, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
                              CAP_KILL, CAP_MKNOD, CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_SETFCAP,
                              CAP_SETGID, CAP_SETPCAP, CAP_SETUID, CAP_SYS_CHROOT});
  policy.log_dirs = {"/var/log/pods"};
  policy.runtimes = {"**"};
  return policy;
}

PodPolicy Restricted() {
  PodPolicy policy = Baseline();
  policy.privilege_escalation = false;
  policy.run_as_root = false;
  policy.capabilities = Mask({CAP_NET_BIND_SERVICE});
  return policy;
}

constexpr absl::string_view kMarker = ": refused by the node's policy, ";

}  // namespace

absl::Span<const PodFlag> PodFlags() { return kFlags; }

std::optional<PodPolicy> PodProfile(absl::string_view name) {
  std::optional<PodPolicy> policy;
  if (name == kCompatible) policy = Compatible();
  if (name == "baseline") policy = Baseline();
  if (name == "restricted") policy = Restricted();
  if (!policy) return policy;
  policy->table = "pods";
  policy->profile = std::string(name);
  policy->kubelet_root = "/var/lib/kubelet";
  return policy;
}

std::string PodCapabilityName(int number) {
  if (number >= 0 && number <= kLastPodCapability) return kCapabilities[number];
  return absl::StrCat("capability ", number);
}

int PodCapabilityNumber(absl::string_view name) {
  for (int i = 0; i <= kLastPodCapability; ++i) {
    const absl::string_view known = kCapabilities[i];
    if (name == known || name == known.substr(4)) return i;
  }
  return -1;
}

absl::Status Refuse(const PodPolicy& policy, absl::string_view field, absl::string_view what,
                    absl::string_view key) {
  return absl::PermissionDeniedError(
      absl::StrCat(field, what.empty() ? "" : ": ", what, kMarker, policy.table, ".", key));
}

std::string RuleOf(const absl::Status& status) {
  if (!absl::IsPermissionDenied(status)) return "";
  const absl::string_view message = status.message();
  const size_t at = message.rfind(kMarker);
  if (at == absl::string_view::npos) return "";
  return std::string(message.substr(at + kMarker.size()));
}

}  // namespace bulkhead::security
