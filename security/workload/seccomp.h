#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

// The containers' seccomp filter for the profile type RuntimeDefault.
namespace bulkhead::security {

// The value of linux.seccomp in an OCI config.json (runtime-spec 1.0.2). capabilities: the
// process's bounding set, bit n for capability n: what a capability alone already allows, the
// filter does not forbid again.
nlohmann::json DefaultSeccomp(uint64_t capabilities);

}  // namespace bulkhead::security
