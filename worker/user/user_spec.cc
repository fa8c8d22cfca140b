#include "worker/user/user_spec.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr size_t kMaxIdDigits = 10;

absl::Status Bad(absl::string_view what, absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": ", absl::CHexEscape(text.substr(0, kMaxNameBytes))));
}

bool IsName(absl::string_view text) {
  if (text.empty() || text.size() > kMaxNameBytes) return false;
  if (!absl::ascii_isalpha(text[0]) && text[0] != '_') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

absl::StatusOr<IdOrName> ParseHalf(absl::string_view text) {
  if (!text.empty() && absl::ascii_isdigit(text[0])) {
    BULKHEAD_ASSIGN_OR_RETURN(uint32_t id, ParseId(text));
    return IdOrName{true, id, ""};
  }
  if (IsName(text)) return IdOrName{false, 0, std::string(text)};
  return Bad("user: is neither a number nor a name", text);
}

}  // namespace

absl::StatusOr<uint32_t> ParseId(absl::string_view text) {
  bool digits = !text.empty() && text.size() <= kMaxIdDigits &&
                std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  uint64_t id = 0;
  if (!digits || (text.size() > 1 && text[0] == '0') || !absl::SimpleAtoi(text, &id) ||
      id > kMaxId) {
    return Bad("user: is no id between 0 and 4294967294", text);
  }
  return static_cast<uint32_t>(id);
}

absl::StatusOr<UserSpec> ParseUserSpec(absl::string_view text) {
  UserSpec spec;
  if (text.empty()) {
    spec.user.is_id = true;
    return spec;
  }
  size_t colon = text.find(':');
  BULKHEAD_ASSIGN_OR_RETURN(spec.user, ParseHalf(text.substr(0, colon)));
  if (colon == absl::string_view::npos) return spec;
  spec.has_group = true;
  BULKHEAD_ASSIGN_OR_RETURN(spec.group, ParseHalf(text.substr(colon + 1)));
  return spec;
}

}  // namespace bulkhead::worker
