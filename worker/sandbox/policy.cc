#include "worker/sandbox/policy.h"

#include "base/status.h"
#include "security/policy/pod_policy.h"
#include "security/policy/pod_policy_codec.h"

namespace bulkhead::sandbox {

absl::Status CheckPolicy(schema::SandboxJob::Make::Reader make, int run) {
  BULKHEAD_ASSIGN_OR_RETURN(const security::PodPolicies policies, security::ReadPodPolicies(run));
  security::PodFacts facts = {.host_network = !make.getNewNetwork(),
                              .host_ipc = !make.getNewIpc(),
                              .user_namespace = make.getIdMapping().getLength() > 0};
  for (const auto sysctl : make.getSysctls()) facts.sysctls.emplace_back(sysctl.getKey().cStr());
  return policies.Check(make.getPodNamespace().cStr(), [&facts](const security::PodPolicy& policy) {
    return security::CheckPod(policy, facts);
  });
}

}  // namespace bulkhead::sandbox
