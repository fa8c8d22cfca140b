#pragma once

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "tools/config/settings.h"

namespace bulkhead::tools {

// Makes the directories that the other processes expect, each with its owner and mode. An existing
// one that belongs to somebody else or is open to more than it should be is refused
// (FAILED_PRECONDITION), never repaired: somebody may have put something into it.
absl::Status PrepareDirectories(const Settings& settings);

// Held as long as this supervisor lives, so that there is one on each directory.
// FAILED_PRECONDITION: another one has it.
absl::StatusOr<base::UniqueFd> LockDirectory(const std::string& directory);

}  // namespace bulkhead::tools
