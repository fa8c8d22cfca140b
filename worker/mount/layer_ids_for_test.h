#pragma once

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace bulkhead::mount {

// What the spawner hands to the mount worker as fd 6, made here for tests: a user namespace for MOUNT_ATTR_IDMAP
// under which a layer's shifted owners (security/layer_ids.h) appear as the image says.
absl::StatusOr<base::UniqueFd> LayerUserNamespace();

}  // namespace bulkhead::mount
