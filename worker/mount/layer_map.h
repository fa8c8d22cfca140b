#pragma once

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace bulkhead::mount {

// A user namespace for MOUNT_ATTR_IDMAP under which a layer's shifted owners (security/layer_ids.h) appear as what
// the image says. Nobody lives in it; it stays while the fd or a mount holds it.
absl::StatusOr<base::UniqueFd> LayerUserNamespace();

}  // namespace bulkhead::mount
