#include "worker/container/policy.h"

#include <sys/stat.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "security/policy/pod_facts.h"
#include "security/policy/pod_policy.h"
#include "security/policy/pod_policy_codec.h"

namespace bulkhead::container {
namespace {

using security::ContainerFacts;
using security::PodPolicy;
using Source = schema::ContainerSpec::Namespaces::Source;

// The node's PID namespace is this worker's own.
bool IsInNodesPids(pid_t pid) {
  struct stat own, other;
  if (stat("/proc/self/ns/pid", &own) != 0) return true;
  if (stat(absl::StrCat("/proc/", pid, "/ns/pid").c_str(), &other) != 0) return true;
  return own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

void AddNamespaces(schema::ContainerSpec::Namespaces::Reader namespaces, pid_t target_pid,
                   ContainerFacts* facts) {
  // A pod on the node's network has the node's name as well.
  facts->host_network =
      namespaces.getNetwork() == Source::HOST || namespaces.getUts() == Source::HOST;
  facts->host_pid = namespaces.getPid() == Source::HOST ||
                    (namespaces.getPid() == Source::TARGET && IsInNodesPids(target_pid));
  facts->host_ipc = namespaces.getIpc() == Source::HOST;
  facts->user_namespace = namespaces.getUser() == Source::POD;
}

ContainerFacts FactsOf(schema::LaunchJob::Reader job, pid_t target_pid) {
  const schema::ContainerSpec::Reader spec = job.getCreate();
  ContainerFacts facts;
  facts.privileged = spec.getAllDevices() || spec.getCgroupWritable();
  AddNamespaces(spec.getNamespaces(), target_pid, &facts);
  facts.unmasked_proc = security::IsProcUnmasked(security::TextsOf(spec.getMaskedPaths()),
                                                 security::TextsOf(spec.getReadonlyPaths()));
  for (schema::ContainerSpec::Mount::Reader mount : spec.getMounts()) {
    facts.shares_mounts |= mount.getPropagation() == schema::Mount::Propagation::BIDIRECTIONAL;
  }
  facts.hooks = spec.getHooks().size() > 0;
  facts.runtime = job.getRuntimeName().cStr();
  facts.log_path = spec.getLogPath().cStr();
  for (schema::Device::Reader device : spec.getDevices()) {
    facts.devices.emplace_back(device.getHostPath().cStr());
  }
  for (auto device : spec.getCdiDevices()) facts.devices.emplace_back(device.getHostPath().cStr());
  facts.process = security::ProcessOf(spec.getProcess());
  facts.limits = security::LimitsOf(spec.getResources());
  return facts;
}

}  // namespace

absl::Status CheckRuntime(schema::LaunchJob::Reader job, int run) {
  BULKHEAD_ASSIGN_OR_RETURN(const security::PodPolicies policies, security::ReadPodPolicies(run));
  return security::CheckProgram(policies, job.getRuntimeName().cStr(), job.getRuntimePath().cStr());
}

absl::Status CheckCreate(schema::LaunchJob::Reader job, int run, pid_t target_pid) {
  BULKHEAD_ASSIGN_OR_RETURN(const security::PodPolicies policies, security::ReadPodPolicies(run));
  const ContainerFacts facts = FactsOf(job, target_pid);
  return policies.Check(job.getPodNamespace().cStr(), [&](const PodPolicy& policy) {
    return security::CheckContainer(policy, facts);
  });
}

absl::Status CheckExec(schema::LaunchJob::Reader job, int run, schema::Process::Reader process) {
  BULKHEAD_ASSIGN_OR_RETURN(const security::PodPolicies policies, security::ReadPodPolicies(run));
  return policies.Check(job.getPodNamespace().cStr(), [&](const PodPolicy& policy) {
    absl::Status status = security::CheckStream(policy, security::PodStream::kExec);
    return status.ok() ? security::CheckProcess(policy, security::ProcessOf(process)) : status;
  });
}

}  // namespace bulkhead::container
