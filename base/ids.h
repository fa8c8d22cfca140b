#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace bulkhead::base {

// 256 random bits as 64 lower-case hex digits: the form that kubelet's and cAdvisor's users know.
std::string NewId();
// 64 lower-case hex digits.
bool IsId(absl::string_view text);
// 1 to 64 lower-case hex digits.
bool IsIdPrefix(absl::string_view text);

// Bytes and lower-case hex.
std::string ToHex(absl::string_view bytes);
// Empty where text is not an even number of lower-case hex digits.
std::string FromHex(absl::string_view text);

// /proc/sys/kernel/random/boot_id, 16 bytes; tells a reboot from a restart.
std::string BootId();

}  // namespace bulkhead::base
