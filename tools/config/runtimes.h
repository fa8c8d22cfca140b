#pragma once

#include <string>

#include "absl/status/status.h"
#include "tools/config/settings.h"
#include "tools/config/value.h"

namespace bulkhead::tools {

// One table [runtimes.NAME].
absl::Status ApplyRuntime(const Value& value, RuntimeSettings* runtime);
absl::Status CheckRuntime(const std::string& name, const RuntimeSettings& runtime);

}  // namespace bulkhead::tools
