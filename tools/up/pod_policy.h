#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "security/policy/pod_policy.h"

// How the policy of pods reaches those who hold a job against it.
namespace bulkhead::tools {

// For the broker: a sealed memfd.
absl::StatusOr<base::UniqueFd> PodPolicyMemfd(const security::PodPolicies& policies);

// For workers: the file in run_dir, whole or as it was before; root's alone. A worker that stands
// by since before reads the new one.
absl::Status PublishPodPolicy(const std::string& run_dir, const security::PodPolicies& policies);
void WithdrawPodPolicy(const std::string& run_dir);

}  // namespace bulkhead::tools
