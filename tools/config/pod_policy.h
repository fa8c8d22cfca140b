#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "security/policy/pod_policy.h"
#include "tools/config/value.h"

// The table [pods] of the policy file (docs/policy.md).
namespace bulkhead::tools {

// What a node has that says nothing of pods.
security::PodPolicies DefaultPodPolicies();

// Fills in all but the hash. INVALID_ARGUMENT names file, line and key.
absl::Status ApplyPods(const Value& value, security::PodPolicies* policies);

// SHA-256, 32 bytes.
std::string PolicyHash(absl::string_view text);

// The policy as the file could say it, each key with its value, and the hash.
std::string PodPolicyText(const security::PodPolicies& policies);

}  // namespace bulkhead::tools
