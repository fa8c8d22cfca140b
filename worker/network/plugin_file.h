#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace bulkhead::network {

struct PluginFile {
  base::UniqueFd fd;  // O_PATH
  std::string path;   // what the plugin is told as its argv[0]
};

// The first of the directories' files with this name. PERMISSION_DENIED where a directory or the
// file could be changed by another than root: what runs here runs as root. NOT_FOUND.
// INVALID_ARGUMENT: not a plugin's name.
absl::StatusOr<PluginFile> OpenPlugin(const std::vector<std::string>& bin_dirs,
                                      const std::string& name);

}  // namespace bulkhead::network
