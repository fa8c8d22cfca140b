#include "security/policy/sysctl.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace bulkhead::security {
namespace {

constexpr size_t kMaxNameBytes = 255;

enum class Owner { kNobody, kNetwork, kIpc };

bool IsWord(absl::string_view word) {
  if (word.empty() || word == "." || word == "..") return false;
  return std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("._-:@", c);
  });
}

// Which namespace holds it.
Owner OwnerOf(const std::vector<std::string>& path) {
  if (path[0] == "net" && path.size() >= 3) return Owner::kNetwork;
  if (path[0] == "fs" && path.size() == 3 && path[1] == "mqueue") return Owner::kIpc;
  if (path[0] != "kernel" || path.size() != 2) return Owner::kNobody;
  for (absl::string_view prefix : {"shm", "msg", "sem"}) {
    if (absl::StartsWith(path[1], prefix)) return Owner::kIpc;
  }
  return Owner::kNobody;
}

absl::Status Refuse(absl::string_view name, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(
      "config.linux.sysctls[", absl::CEscape(name.substr(0, kMaxNameBytes)), "]: ", why));
}

absl::StatusOr<std::vector<std::string>> Components(absl::string_view name) {
  if (name.size() > kMaxNameBytes) return Refuse(name, "the name is too long");
  const size_t first = name.find_first_of("./");
  const char separator = first == absl::string_view::npos ? '.' : name[first];
  std::vector<std::string> words = absl::StrSplit(name, separator);
  for (std::string& word : words) {
    if (separator == '.') std::replace(word.begin(), word.end(), '/', '.');
    if (!IsWord(word)) return Refuse(name, "not the name of a sysctl");
  }
  return words;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t'; }

absl::Status CheckValue(absl::string_view name, absl::string_view value) {
  if (value.size() > kMaxSysctlValueBytes) return Refuse(name, "the value is too long");
  for (const char c : value) {
    if (IsControl(c) || c == 0x7f) return Refuse(name, "the value holds a control byte");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> SysctlPath(absl::string_view name) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> words, Components(name));
  return absl::StrJoin(words, "/");
}

absl::Status CheckSysctl(absl::string_view name, absl::string_view value, bool own_network,
                         bool own_ipc) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> words, Components(name));
  switch (OwnerOf(words)) {
    case Owner::kNobody:
      return Refuse(name, "belongs to the node, not to a pod");
    case Owner::kNetwork:
      if (!own_network) return Refuse(name, "the pod has no network namespace of its own");
      break;
    case Owner::kIpc:
      if (!own_ipc) return Refuse(name, "the pod has no IPC namespace of its own");
      break;
  }
  return CheckValue(name, value);
}

}  // namespace bulkhead::security
