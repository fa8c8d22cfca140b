#pragma once

#include <string>
#include <vector>

#include "security/policy/pod_policy.h"
#include "tools/explain/manifest.h"

namespace bulkhead::tools {

// What would be refused, a line each: "spec.containers[0] (main): <refusal>". All of it, not only
// the first. Empty: nothing.
std::vector<std::string> ExplainPod(const security::PodPolicies& policies,
                                    const std::string& kubernetes_namespace, const PodWish& wish);

}  // namespace bulkhead::tools
