#include "worker/lxc/lines.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::lxc {
namespace {

bool IsControl(char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); }
bool IsBlank(char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); }

bool IsValue(absl::string_view value) {
  if (std::any_of(value.begin(), value.end(), IsControl)) return false;
  if (value.empty()) return true;
  return !IsBlank(value.front()) && !IsBlank(value.back()) && value.front() != '\'' &&
         value.front() != '"';
}

}  // namespace

absl::Status Lines::Add(absl::string_view key, absl::string_view value, absl::string_view field) {
  if (!IsValue(value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(field.empty() ? key : field,
                     ": holds what a container of runtime type lxc cannot have there (line ends, "
                     "control characters, blanks or quotation marks at its ends)"));
  }
  absl::StrAppend(&text_, key, " = ", value, "\n");
  return absl::OkStatus();
}

std::string Word(absl::string_view path) {
  std::string word;
  for (char c : path) {
    if (c == ' ') {
      word += "\\040";
    } else if (c == '\\') {
      word += "\\134";
    } else if (c == '#') {
      word += "\\043";
    } else {
      word += c;
    }
  }
  return word;
}

}  // namespace bulkhead::lxc
