#include "validate/cdi_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace bulkhead::validate {
namespace {

constexpr size_t kMaxBytes = 253;

// Begins and ends with a letter or digit (with a letter, where letter_first), the others of these
// or of inner.
bool IsPart(absl::string_view text, absl::string_view inner, bool letter_first) {
  if (text.empty() || text.size() > kMaxBytes) return false;
  const char first = text.front();
  if (letter_first ? !absl::ascii_isalpha(first) : !absl::ascii_isalnum(first)) return false;
  return absl::ascii_isalnum(text.back()) && std::all_of(text.begin(), text.end(), [&](char c) {
           return absl::ascii_isalnum(c) || inner.find(c) != absl::string_view::npos;
         });
}

}  // namespace

bool IsCdiKind(absl::string_view text) {
  const size_t slash = text.find('/');
  return slash != absl::string_view::npos && IsPart(text.substr(0, slash), "_-.", true) &&
         IsPart(text.substr(slash + 1), "_-.", true);
}

bool IsCdiDeviceName(absl::string_view text) { return IsPart(text, "_-.:", false); }

bool IsCdiQualifiedName(absl::string_view text) {
  const size_t equals = text.find('=');
  return equals != absl::string_view::npos && IsCdiKind(text.substr(0, equals)) &&
         IsCdiDeviceName(text.substr(equals + 1));
}

}  // namespace bulkhead::validate
