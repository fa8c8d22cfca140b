#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::base {

inline constexpr size_t kMaxPathBytes = 4096;
inline constexpr size_t kMaxComponentBytes = 255;

// Brings an absolute path into the one form that crosses a process border: no empty, "." or trailing component.
// INVALID_ARGUMENT for a relative path, "..", NUL or other control bytes, an over-long path or component; the
// message begins with field.
absl::StatusOr<std::string> CleanAbsolutePath(absl::string_view field, absl::string_view path);

// The same for a relative path (a log path): additionally not empty and not absolute.
absl::StatusOr<std::string> CleanRelativePath(absl::string_view field, absl::string_view path);

// Whether path is already in that form: what the second of two processes checks.
bool IsCleanAbsolutePath(absl::string_view path);

}  // namespace bulkhead::base
