#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bulkhead::broker {

// The names in one of the broker's own directories, without "." and "..".
absl::StatusOr<std::vector<std::string>> ListDirectory(int dirfd);

}  // namespace bulkhead::broker
