#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "security/policy/pod_policy.h"

// What the parts of pod_policy.h share; for them alone.
namespace bulkhead::security {

// what: empty where the field says it all. key: of the policy's table.
absl::Status Refuse(const PodPolicy& policy, absl::string_view field, absl::string_view what,
                    absl::string_view key);

// Whether path is prefix or below it; both clean.
bool LiesBelow(absl::string_view prefix, absl::string_view path);

}  // namespace bulkhead::security
