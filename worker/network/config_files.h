#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace bulkhead::network {

inline constexpr size_t kMaxConfigFiles = 32;
inline constexpr off_t kMaxConfigBytes = 64 << 10;

struct ConfigFiles {
  std::vector<std::string> names;
  std::vector<base::UniqueFd> fds;  // of the same files, read-only
};

// Opens *.conf, *.conflist and *.json of the directory, in name order, and reads nothing of them.
// Left out with a warning: links, what others than root may write, files over 64 KiB, those after
// the 32nd. No directory: no files. PERMISSION_DENIED where others than root may change the
// directory.
absl::StatusOr<ConfigFiles> OpenConfigFiles(const std::string& dir);

}  // namespace bulkhead::network
