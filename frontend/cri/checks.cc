#include "frontend/cri/checks.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"

namespace bulkhead::frontend {

absl::Status CheckId(absl::string_view field, absl::string_view what, const std::string& id) {
  if (id.empty()) return absl::InvalidArgumentError(absl::StrCat(field, ": must not be empty"));
  if (base::IsIdPrefix(id)) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat(what, " ", absl::CHexEscape(id.substr(0, 64)), ": not found"));
}

absl::Status CheckOne(absl::string_view what, const std::string& id, size_t found) {
  if (found == 1) return absl::OkStatus();
  if (found == 0) return absl::NotFoundError(absl::StrCat(what, " ", id, ": not found"));
  return absl::InvalidArgumentError(absl::StrCat(what, " ", id, ": the prefix fits several"));
}

absl::Status GoneIsFine(const absl::Status& status) {
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace bulkhead::frontend
