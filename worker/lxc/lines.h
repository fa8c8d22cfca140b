#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bulkhead::lxc {

// A configuration file of liblxc in the making: one line a setting, and nothing in a value can end
// the line or begin another.
class Lines {
 public:
  // INVALID_ARGUMENT: the value holds what the format cannot say: control characters, blanks or a
  // quotation mark at its ends. field names who is to blame.
  absl::Status Add(absl::string_view key, absl::string_view value, absl::string_view field = "");
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// A path as one word of a mount entry (fstab(5)).
std::string Word(absl::string_view path);

}  // namespace bulkhead::lxc
