#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bulkhead::frontend {

// Whether id can name anything: 1 to 64 lower-case hex digits. INVALID_ARGUMENT where it is empty,
// since an empty prefix would fit everything; NOT_FOUND "<what> <id>: not found" where nothing can
// have that id.
absl::Status CheckId(absl::string_view field, absl::string_view what, const std::string& id);

// Of things that were found by a prefix of their id: NOT_FOUND where there is none,
// INVALID_ARGUMENT where there are several.
absl::Status CheckOne(absl::string_view what, const std::string& id, size_t found);

// For calls where an id that is gone is a success: NOT_FOUND becomes OK.
absl::Status GoneIsFine(const absl::Status& status);

}  // namespace bulkhead::frontend
