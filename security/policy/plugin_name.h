#pragma once

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace bulkhead::security {

inline constexpr size_t kMaxPluginNameBytes = 64;

// Letters, digits, dot, underscore and hyphen: no separator of a path, of a list or of an
// environment variable's parts.
inline bool IsPlainWord(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

// The name of a plugin's file, never a path (V48).
inline bool IsPluginName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxPluginNameBytes && name != "." && name != ".." &&
         IsPlainWord(name);
}

}  // namespace bulkhead::security
