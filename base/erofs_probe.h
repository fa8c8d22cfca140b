#pragma once

#include "absl/status/status.h"

namespace bulkhead::base {

// Whether layers can be EROFS images in this directory: mounted straight from a file (Linux 6.12,
// and a file system that allows it), the mount cloned (6.15), and the clone put below an overlay.
// Leaves nothing. Needs CAP_SYS_ADMIN. UNIMPLEMENTED says which of it cannot be done, and why.
absl::Status ProbeErofs(const char* directory);

}  // namespace bulkhead::base
