#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bulkhead::security {

// Whether the glob fits all of text. "*" is any run of characters without "/", "**" any run; all
// else is itself.
bool MatchesGlob(absl::string_view glob, absl::string_view text);

// INVALID_ARGUMENT for a glob that is empty, over 512 bytes, has more than 16 stars, or characters
// that no image name has.
absl::Status CheckGlob(absl::string_view glob);

}  // namespace bulkhead::security
