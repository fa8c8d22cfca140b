#include "broker/plan/policy.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "security/policy/pod_facts.h"

namespace bulkhead::broker {
namespace {

using schema::NamespaceMode;
using security::ContainerFacts;
using security::PodFacts;
using security::PodPolicy;
using security::ProcessFacts;

template <typename F>
absl::Status Ask(const Policies& policies, schema::PodConfig::Reader pod, F check) {
  if (!policies) return absl::UnavailableError("the node's policy has not come yet");
  return policies->Check(pod.getNamespace().cStr(), check);
}

PodFacts FactsOf(schema::PodConfig::Reader config) {
  PodFacts facts = {.privileged = config.getPrivileged(),
                    .host_network = config.getNetwork() == NamespaceMode::NODE,
                    .host_pid = config.getPid() == NamespaceMode::NODE,
                    .host_ipc = config.getIpc() == NamespaceMode::NODE,
                    .user_namespace = config.getUserNamespace() == NamespaceMode::POD,
                    .runtime = config.getHandler().cStr(),
                    .log_directory = config.getLogDirectory().cStr()};
  for (auto sysctl : config.getSysctls()) facts.sysctls.emplace_back(sysctl.getKey().cStr());
  for (auto mapping : config.getPortMappings()) facts.host_ports.push_back(mapping.getHostPort());
  return facts;
}

ProcessFacts ProcessOf(schema::SecurityContext::Reader context) {
  ProcessFacts facts = {.capabilities = PlanCapabilities(context),
                        .no_new_privs = context.getNoNewPrivs() && !context.getPrivileged()};
  if (context.getHasRunAsUser()) facts.uid = context.getRunAsUser();
  const bool filtered = context.getHasSeccomp() && !context.getPrivileged();
  security::SetSeccomp(
      filtered ? context.getSeccomp().getType() : schema::SecurityProfile::Type::UNCONFINED,
      &facts);
  return facts;
}

void AddSecurity(schema::SecurityContext::Reader context, schema::PodConfig::Reader pod,
                 ContainerFacts* facts) {
  facts->privileged = context.getPrivileged();
  // Network and IPC are the pod's, whatever the container leaves unsaid.
  facts->host_network = pod.getNetwork() == NamespaceMode::NODE;
  facts->host_pid = context.getPid() == NamespaceMode::NODE;
  facts->host_ipc = pod.getIpc() == NamespaceMode::NODE;
  facts->unmasked_proc = context.getPrivileged() ||
                         security::IsProcUnmasked(security::TextsOf(context.getMaskedPaths()),
                                                  security::TextsOf(context.getReadonlyPaths()));
  facts->apparmor = context.getApparmorProfile().cStr();
  facts->selinux_user = context.getSelinux().getUser().cStr();
  facts->selinux_role = context.getSelinux().getRole().cStr();
  facts->selinux_type = context.getSelinux().getType().cStr();
  facts->process = ProcessOf(context);
}

ContainerFacts FactsOf(schema::Pod::Reader pod, schema::ContainerConfig::Reader config,
                       schema::CdiEdits::Reader cdi) {
  ContainerFacts facts;
  AddSecurity(config.getSecurity(), pod.getConfig(), &facts);
  facts.user_namespace = pod.getIdMapping().getLength() > 0;
  for (auto mount : config.getMounts()) {
    facts.shares_mounts |= mount.getPropagation() == schema::Mount::Propagation::BIDIRECTIONAL;
  }
  for (auto device : config.getDevices()) facts.devices.emplace_back(device.getHostPath().cStr());
  for (auto device : cdi.getDevices()) facts.devices.emplace_back(device.getHostPath().cStr());
  facts.cdi = security::TextsOf(config.getCdiDevices());
  facts.hooks = cdi.getHooks().size() > 0;
  if (pod.getConfig().getLogDirectory().size() > 0 && config.getLogPath().size() > 0) {
    facts.log_path =
        absl::StrCat(pod.getConfig().getLogDirectory().cStr(), "/", config.getLogPath().cStr());
  }
  facts.limits = security::LimitsOf(config.getResources());
  return facts;
}

// Of images nothing of the node is seen.
absl::Status CheckMounts(const PodPolicy& policy, schema::Pod::Reader pod,
                         schema::ContainerConfig::Reader config, schema::CdiEdits::Reader cdi) {
  const std::string uid = pod.getConfig().getUid();
  const auto check = [&](const std::string& field, auto mount) {
    return security::CheckHostPath(policy, uid, field, mount.getHostPath().cStr(),
                                   mount.getReadonly())
        .status();
  };
  for (unsigned i = 0; i < config.getMounts().size(); ++i) {
    const auto mount = config.getMounts()[i];
    if (mount.getImage().size() > 0) continue;
    BULKHEAD_RETURN_IF_ERROR(check(absl::StrCat("config.mounts[", i, "].host_path"), mount));
  }
  for (auto mount : cdi.getMounts()) {
    BULKHEAD_RETURN_IF_ERROR(check("config.CDI_devices: mount", mount));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AskForPod(const Policies& policies, schema::PodConfig::Reader config) {
  return Ask(policies, config, [facts = FactsOf(config)](const PodPolicy& policy) {
    return security::CheckPod(policy, facts);
  });
}

absl::Status AskForContainer(const Policies& policies, schema::Pod::Reader pod,
                             schema::ContainerConfig::Reader config, schema::CdiEdits::Reader cdi,
                             const std::string& runtime) {
  ContainerFacts facts = FactsOf(pod, config, cdi);
  facts.runtime = runtime;
  return Ask(policies, pod.getConfig(), [&](const PodPolicy& policy) {
    absl::Status status = security::CheckContainer(policy, facts);
    return status.ok() ? CheckMounts(policy, pod, config, cdi) : status;
  });
}

absl::Status AskForUser(const Policies& policies, schema::Pod::Reader pod,
                        schema::Process::Reader process) {
  return Ask(policies, pod.getConfig(),
             [facts = security::ProcessOf(process)](const PodPolicy& policy) {
               return security::CheckProcess(policy, facts);
             });
}

absl::Status AskForLimits(const Policies& policies, schema::Pod::Reader pod,
                          schema::Resources::Reader resources) {
  return Ask(policies, pod.getConfig(),
             [facts = security::LimitsOf(resources)](const PodPolicy& policy) {
               return security::CheckLimits(policy, facts);
             });
}

absl::Status AskForStream(const Policies& policies, schema::Pod::Reader pod,
                          security::PodStream stream) {
  return Ask(policies, pod.getConfig(),
             [stream](const PodPolicy& policy) { return security::CheckStream(policy, stream); });
}

}  // namespace bulkhead::broker
