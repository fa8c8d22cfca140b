#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace bulkhead::worker {

// Opens a container's log for appending, making it (0640) and its last directory (0755) where
// missing. No component may be a symbolic link, and the file must be a plain one with one name
// (V47). path: absolute and clean; an empty one gives an empty fd.
absl::StatusOr<base::UniqueFd> OpenLog(const std::string& path);

}  // namespace bulkhead::worker
