#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace bulkhead::lxc {

// linux.seccomp of config.json in liblxc's own format, version 2. INVALID_ARGUMENT names what that
// cannot say: actions LOG, TRACE and KILL_PROCESS, flags, and a choice of architectures, as liblxc
// lets programs of all three of x86_64, x86 and x32 run.
absl::StatusOr<std::string> SeccompPolicy(const nlohmann::json& seccomp);

}  // namespace bulkhead::lxc
