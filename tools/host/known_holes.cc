#include <array>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "tools/host/host.h"

namespace bulkhead::tools {
namespace {

using Version = std::array<uint32_t, 3>;

struct Hole {
  const char* program;  // the version line's first word
  Version fixed_in;
  const char* text;
};

// Only holes that a container or an image can reach. Keep the newest fix last.
constexpr Hole kHoles[] = {
    {"crun", {1, 20, 0}, "CVE-2025-24965: files written outside of the root file system (krun)"},
    {"crun", {1, 27, 0}, "CVE-2026-30892"},
    {"crun",
     {1, 28, 0},
     "CVE-2026-47766: an image whose /dev is a link makes device files outside of the rootfs"},
};

// "1.8.1", "1.28", "1.2.0-rc.1+dev": leading numbers count, what is missing is 0.
bool ParseVersion(absl::string_view text, Version* out) {
  *out = {};
  size_t i = 0;
  for (absl::string_view part : absl::StrSplit(text, '.')) {
    if (i == out->size()) break;
    absl::string_view digits = part.substr(0, part.find_first_not_of("0123456789"));
    if (digits.empty() || !absl::SimpleAtoi(digits, &(*out)[i])) return i > 0;
    ++i;
    if (digits.size() != part.size()) break;
  }
  return true;
}

}  // namespace

std::vector<std::string> KnownHoles(absl::string_view version_line) {
  std::vector<std::string> words = absl::StrSplit(version_line, ' ');
  Version version;
  std::vector<std::string> found;
  if (words.size() < 3 || words[1] != "version" || !ParseVersion(words[2], &version)) return found;
  for (const Hole& hole : kHoles) {
    if (words[0] == hole.program && version < hole.fixed_in) found.push_back(hole.text);
  }
  return found;
}

}  // namespace bulkhead::tools
