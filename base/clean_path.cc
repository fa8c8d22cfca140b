#include "base/clean_path.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace bulkhead::base {
namespace {

absl::Status Refuse(absl::string_view field, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

// The components that count.
absl::StatusOr<std::vector<absl::string_view>> Components(absl::string_view field,
                                                          absl::string_view path) {
  // The limit includes the NUL that a system call needs.
  if (path.size() >= kMaxPathBytes) return Refuse(field, "path is too long");
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return Refuse(field, "path holds a control byte");
    }
  }
  std::vector<absl::string_view> kept;
  for (absl::string_view component : absl::StrSplit(path, '/')) {
    if (component.empty() || component == ".") continue;
    if (component == "..") return Refuse(field, "path holds \"..\"");
    if (component.size() > kMaxComponentBytes) return Refuse(field, "path component is too long");
    kept.push_back(component);
  }
  return kept;
}

}  // namespace

absl::StatusOr<std::string> CleanAbsolutePath(absl::string_view field, absl::string_view path) {
  if (path.empty() || path[0] != '/') return Refuse(field, "path must be absolute");
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<absl::string_view> components, Components(field, path));
  return absl::StrCat("/", absl::StrJoin(components, "/"));
}

absl::StatusOr<std::string> CleanRelativePath(absl::string_view field, absl::string_view path) {
  if (!path.empty() && path[0] == '/') return Refuse(field, "path must be relative");
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<absl::string_view> components, Components(field, path));
  if (components.empty()) return Refuse(field, "path is empty");
  return absl::StrJoin(components, "/");
}

bool IsCleanAbsolutePath(absl::string_view path) {
  const absl::StatusOr<std::string> clean = CleanAbsolutePath("", path);
  return clean.ok() && *clean == path;
}

}  // namespace bulkhead::base
