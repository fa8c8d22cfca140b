#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// The most that this node grants a pod, whoever asks for it (docs/policy.md). Pure functions over
// typed facts: the broker asks them before anything is made, sandbox, mount and launch once more
// where the power is. A refusal is PERMISSION_DENIED, "<field>: <what>: refused by the node's
// policy, <key>".
namespace bulkhead::security {

struct PathRule {
  std::string prefix;  // absolute, clean; the path itself and what lies below it. "/": any path
  bool read_only = false;
};

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;
};

// One ceiling. As it is here, before a profile fills it in, it grants nearly nothing.
struct PodPolicy {
  std::string table;    // of the file, for messages: "pods", "pods.namespace.kube-system"
  std::string profile;  // that it began with
  bool privileged = false;
  bool host_network = false;
  bool host_pid = false;
  bool host_ipc = false;
  bool user_namespace_required = false;
  bool seccomp_unconfined = false;
  bool seccomp_localhost = false;
  bool privilege_escalation = false;  // false: no_new_privs must be set
  bool run_as_root = false;
  bool unmasked_proc = false;
  bool apparmor_overrides = false;
  bool selinux_overrides = false;  // other types than those for containers, and users and roles
  bool exec = false;
  bool attach = false;
  bool port_forward = false;
  uint64_t capabilities = 0;          // bit n: capability n; of the bounding set that results
  std::string kubelet_root;           // whose pods/<uid> are the pod's own
  std::vector<PathRule> host_paths;   // besides the pod's own
  std::vector<std::string> log_dirs;  // prefixes
  std::vector<std::string> devices;   // prefixes
  std::vector<std::string> cdi;       // globs over names of devices
  std::vector<std::string> sysctls;   // globs, besides those that Kubernetes calls safe
  std::vector<PortRange> host_ports;
  std::vector<std::string> runtimes;  // globs over handlers
  // Of one container. 0: no ceiling; otherwise a container without a limit is over it, but for
  // pids, which kubelet limits for the pod as a whole.
  uint64_t memory_max = 0;  // bytes
  uint64_t cpu_max = 0;     // thousandths of a processor
  uint64_t pids_max = 0;
};

struct PodFlag {
  const char* key;  // in the file
  bool PodPolicy::*member;
};
// In the order of their bits in schema/pod_policy.capnp.
absl::Span<const PodFlag> PodFlags();

// Shipped ceilings: "compatible" (all that this runtime can do), "baseline" and "restricted" (after
// Kubernetes' Pod Security Standards). Nothing: no such profile.
std::optional<PodPolicy> PodProfile(absl::string_view name);
inline constexpr char kCompatible[] = "compatible";

// The whole of it.
struct PodPolicies {
  PodPolicy node;
  std::map<std::string, PodPolicy> namespaces;
  bool namespaces_trusted = true;
  std::string hash;                             // 32 bytes
  std::map<std::string, std::string> programs;  // of OCI runtimes, by handler

  // What a pod of this namespace has to keep to: each of them.
  std::vector<const PodPolicy*> For(absl::string_view kubernetes_namespace) const;

  template <typename F>
  absl::Status Check(absl::string_view kubernetes_namespace, F check) const {
    for (const PodPolicy* policy : For(kubernetes_namespace)) {
      absl::Status status = check(*policy);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
};

// Whether this is the program that root has configured for the handler. PERMISSION_DENIED.
absl::Status CheckProgram(const PodPolicies& policies, const std::string& handler,
                          absl::string_view path);

// What a pod asks for as a whole.
struct PodFacts {
  bool privileged = false;
  bool host_network = false;
  bool host_pid = false;
  bool host_ipc = false;
  bool user_namespace = false;  // has one of its own
  std::string runtime;          // handler; empty: none named
  std::string log_directory;    // empty: none
  std::vector<std::string> sysctls;
  std::vector<uint16_t> host_ports;
};

// What a process of a container gets, its first one or an exec's.
struct ProcessFacts {
  uint64_t capabilities = 0;  // bounding and ambient
  bool no_new_privs = false;
  bool seccomp_unconfined = false;
  bool seccomp_localhost = false;
  std::optional<uint32_t> uid;  // nothing: not known yet
};

// What a container may use. 0: not set; negative: no limit.
struct LimitFacts {
  int64_t memory = 0;
  int64_t cpu_quota = 0;   // microseconds
  int64_t cpu_period = 0;  // microseconds; 0: 100 ms
  // Files of cgroup v2 that are to be written after these; empty: not set.
  std::string memory_file;  // memory.max
  std::string cpu_file;     // cpu.max
  std::string pids_file;    // pids.max
};

struct ContainerFacts {
  bool privileged = false;
  bool host_network = false;
  bool host_pid = false;
  bool host_ipc = false;
  bool user_namespace = false;
  bool unmasked_proc = false;
  bool shares_mounts = false;  // a mount with bidirectional propagation
  bool hooks = false;          // programs that run on the node
  std::string apparmor;
  std::string selinux_user, selinux_role, selinux_type;
  std::string runtime;   // as chosen; empty: not yet
  std::string log_path;  // empty: none
  std::vector<std::string> devices;
  std::vector<std::string> cdi;
  ProcessFacts process;
  LimitFacts limits;
};

absl::Status CheckPod(const PodPolicy& policy, const PodFacts& facts);
// All but host paths.
absl::Status CheckContainer(const PodPolicy& policy, const ContainerFacts& facts);
absl::Status CheckProcess(const PodPolicy& policy, const ProcessFacts& facts);
// All of what holds after an update.
absl::Status CheckLimits(const PodPolicy& policy, const LimitFacts& facts);

enum class PodStream { kExec, kAttach, kPortForward };
absl::Status CheckStream(const PodPolicy& policy, PodStream stream);

// How a path that may be mounted is to be opened.
struct GrantedPath {
  std::string root;        // the rule's own path, as the node has it; "/": no link is looked at
  std::string below;       // the rest, whose links must not lead out of root; empty: root itself
  bool read_only = false;  // and all below it
};
// The narrowest rule that grants it. uid: of the pod. field: for the refusal.
absl::StatusOr<GrantedPath> CheckHostPath(const PodPolicy& policy, absl::string_view uid,
                                          absl::string_view field, absl::string_view path,
                                          bool read_only);

// Whether these paths leave open what Kubernetes has hidden, and made read-only, in every /proc and
// /sys.
bool IsProcUnmasked(absl::Span<const std::string> masked, absl::Span<const std::string> read_only);

// "CAP_SYS_ADMIN"; "capability 63" for one that is not known. And back; -1: none.
std::string PodCapabilityName(int number);
int PodCapabilityNumber(absl::string_view name);
inline constexpr int kLastPodCapability = 40;
inline constexpr uint64_t kAllPodCapabilities = (uint64_t{1} << (kLastPodCapability + 1)) - 1;

// The key of the policy that a refusal names, whichever process made it; empty: none.
std::string RuleOf(const absl::Status& status);

}  // namespace bulkhead::security
