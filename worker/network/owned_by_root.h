#pragma once

#include <sys/types.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bulkhead::network {

// PERMISSION_DENIED unless fd is of this type (S_IFREG, S_IFDIR), belongs to root, and nobody else
// may write to it.
absl::Status CheckOwnedByRoot(int fd, mode_t type, absl::string_view path);

}  // namespace bulkhead::network
