#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::tools {

// The text of a file that must belong to root (or the caller) and be writable by nobody else:
// whoever can write the configuration names programs that root runs, and whom registries' passwords
// are sent to. PERMISSION_DENIED, NOT_FOUND, RESOURCE_EXHAUSTED (over max bytes); each names the
// file.
absl::StatusOr<std::string> ReadOwnedFile(const std::string& file, size_t max);

// The entries of a directory with this ending, sorted, hidden ones left out. NOT_FOUND: there is no
// such directory.
absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& directory,
                                                 absl::string_view ending);

}  // namespace bulkhead::tools
