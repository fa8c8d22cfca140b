#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::base {

// The path below each hierarchy of the cgroup that an OCI config names: a clean absolute path
// itself, or systemd's "slice:prefix:name", which is the scope prefix-name.scope inside the slice
// and the slices that its dashes spell. INVALID_ARGUMENT for anything else, and for "/".
absl::StatusOr<std::string> CgroupPath(absl::string_view cgroup);

}  // namespace bulkhead::base
