#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

// Kubernetes' way to write amounts: 1, "500m", "64Mi", "1G", "0.5".
namespace bulkhead::tools {

// In units, rounded up. Nothing: no amount, or one that no int64 holds.
std::optional<int64_t> ParseQuantity(const nlohmann::json& value);
// In thousandths.
std::optional<int64_t> ParseMilliQuantity(const nlohmann::json& value);

}  // namespace bulkhead::tools
