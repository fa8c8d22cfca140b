#include "tools/explain/quantity.h"

#include <cmath>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace bulkhead::tools {
namespace {

struct Suffix {
  absl::string_view text;
  double factor;
};
constexpr Suffix kSuffixes[] = {
    {"Ki", 1024.0},
    {"Mi", 1048576.0},
    {"Gi", 1073741824.0},
    {"Ti", 1099511627776.0},
    {"Pi", 1125899906842624.0},
    {"m", 0.001},
    {"k", 1e3},
    {"M", 1e6},
    {"G", 1e9},
    {"T", 1e12},
    {"P", 1e15},
};

std::optional<double> Amount(const nlohmann::json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const std::string text = value.get<std::string>();
  absl::string_view digits = text;
  double factor = 1;
  for (const Suffix& suffix : kSuffixes) {
    if (digits.size() <= suffix.text.size() || !absl::EndsWith(digits, suffix.text)) continue;
    digits.remove_suffix(suffix.text.size());
    factor = suffix.factor;
    break;
  }
  double amount = 0;
  if (!absl::SimpleAtod(digits, &amount)) return std::nullopt;
  return amount * factor;
}

std::optional<int64_t> Rounded(std::optional<double> amount, double scale) {
  if (!amount || !(*amount >= 0) || *amount * scale > 9e18) return std::nullopt;
  // A thousandth has no exact form: what is off by less than a millionth is meant to be whole.
  return static_cast<int64_t>(std::ceil(*amount * scale - 1e-6));
}

}  // namespace

std::optional<int64_t> ParseQuantity(const nlohmann::json& value) {
  return Rounded(Amount(value), 1);
}

std::optional<int64_t> ParseMilliQuantity(const nlohmann::json& value) {
  return Rounded(Amount(value), 1000);
}

}  // namespace bulkhead::tools
