#include "base/cgroup_path.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clean_path.h"

namespace bulkhead::base {
namespace {

constexpr absl::string_view kSlice = ".slice";

absl::Status Invalid() {
  return absl::InvalidArgumentError("cgroup: neither a clean absolute path nor slice:prefix:name");
}

bool IsUnitPart(absl::string_view text) {
  return !text.empty() && text[0] != '.' && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
}

// "/a.slice/a-b.slice" for "a-b.slice"; empty for the root slice "-.slice".
absl::StatusOr<std::string> SlicePath(absl::string_view slice) {
  if (!absl::EndsWith(slice, kSlice) || !IsUnitPart(slice)) return Invalid();
  const absl::string_view name = slice.substr(0, slice.size() - kSlice.size());
  if (name == "-") return std::string();
  std::string path, prefix;
  for (absl::string_view part : absl::StrSplit(name, '-')) {
    if (part.empty()) return Invalid();
    absl::StrAppend(&prefix, prefix.empty() ? "" : "-", part);
    absl::StrAppend(&path, "/", prefix, kSlice);
  }
  return path;
}

}  // namespace

absl::StatusOr<std::string> CgroupPath(absl::string_view cgroup) {
  if (absl::StartsWith(cgroup, "/")) {
    if (!IsCleanAbsolutePath(cgroup) || cgroup == "/") return Invalid();
    return std::string(cgroup);
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(cgroup, ':');
  if (parts.size() != 3 || !IsUnitPart(parts[1]) || !IsUnitPart(parts[2])) return Invalid();
  absl::StatusOr<std::string> slice = SlicePath(parts[0]);
  if (!slice.ok()) return slice;
  return absl::StrCat(*slice, "/", parts[1], "-", parts[2], ".scope");
}

}  // namespace bulkhead::base
