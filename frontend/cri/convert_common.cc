#include "frontend/cri/convert_common.h"

#include "base/clean_path.h"
#include "base/status.h"

namespace bulkhead::frontend {

absl::Status ToOptionalPath(absl::string_view field, const std::string& in, std::string* out) {
  out->clear();
  if (in.empty()) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(*out, base::CleanAbsolutePath(field, in));
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
