#pragma once

#include "absl/status/status.h"
#include "tools/config/settings.h"
#include "tools/config/value.h"

// What the configuration says of pods' networks and user namespaces.
namespace bulkhead::tools {

// The tables [cni] and [user_namespaces].
absl::Status ApplyCni(const Value& value, Settings* settings);
absl::Status ApplyUserNamespaces(const Value& value, Settings* settings);

// What no single key can tell. INVALID_ARGUMENT names the table.
absl::Status CheckUserNamespaces(const Settings& settings);

}  // namespace bulkhead::tools
