#include "base/ids.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/fs.h"

namespace bulkhead::base {
namespace {

constexpr size_t kIdBytes = 32;
constexpr size_t kBootIdBytes = 16;

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

}  // namespace

std::string NewId() {
  std::string bytes(kIdBytes, '\0');
  ssize_t got;
  do {
    got = getrandom(bytes.data(), bytes.size(), 0);
  } while (got < 0 && errno == EINTR);
  // A guessable or repeated id would let one container answer for another: better none at all.
  if (got != static_cast<ssize_t>(bytes.size())) abort();
  return ToHex(bytes);
}

bool IsId(absl::string_view text) { return text.size() == 2 * kIdBytes && IsLowerHex(text); }

bool IsIdPrefix(absl::string_view text) {
  return !text.empty() && text.size() <= 2 * kIdBytes && IsLowerHex(text);
}

std::string ToHex(absl::string_view bytes) { return absl::BytesToHexString(bytes); }

std::string FromHex(absl::string_view text) {
  if (text.size() % 2 != 0 || !IsLowerHex(text)) return "";
  return absl::HexStringToBytes(text);
}

std::string BootId() {
  const absl::StatusOr<std::string> text = ReadFile("/proc/sys/kernel/random/boot_id", 64);
  if (!text.ok()) return "";
  const std::string digits =
      absl::StrReplaceAll(absl::StripSuffix(*text, "\n"), {{"-", ""}});
  const std::string bytes = FromHex(digits);
  return bytes.size() == kBootIdBytes ? bytes : "";
}

}  // namespace bulkhead::base
