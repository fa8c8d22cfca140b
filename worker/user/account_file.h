#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bulkhead::worker {

inline constexpr size_t kMaxAccountFileBytes = 10 << 20;
inline constexpr size_t kMaxAccountLineBytes = 64 << 10;

// Gives each line of a file in a root file system to take, until that returns false. path is
// resolved inside rootfs and must be a regular file; a missing one has no lines.
// RESOURCE_EXHAUSTED: over a limit above, which is never taken for the end of the file;
// INVALID_ARGUMENT: no regular file.
absl::Status ForEachLine(int rootfs, const std::string& path,
                         absl::FunctionRef<bool(absl::string_view line)> take);

}  // namespace bulkhead::worker
