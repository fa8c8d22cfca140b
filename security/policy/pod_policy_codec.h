#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "security/policy/pod_policy.h"

// The form in which the policy travels (schema/pod_policy.capnp).
namespace bulkhead::security {

inline constexpr size_t kMaxPodPolicyBytes = 1 << 20;
// In <run_dir>.
inline constexpr char kPodPolicyFile[] = "pod-policy";

// One message in stream form. RESOURCE_EXHAUSTED: over kMaxPodPolicyBytes.
absl::StatusOr<std::string> EncodePodPolicies(const PodPolicies& policies);
// Of bytes that only root can have written; malformed ones are an error all the same, and grant
// nothing.
absl::StatusOr<PodPolicies> DecodePodPolicies(absl::string_view bytes);

// From the file in run_dir, which must be root's and writable by nobody else. NOT_FOUND: there is
// none; PERMISSION_DENIED: not root's.
absl::StatusOr<PodPolicies> ReadPodPolicies(int run_dir);

}  // namespace bulkhead::security
