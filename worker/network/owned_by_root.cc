#include "worker/network/owned_by_root.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::network {

absl::Status CheckOwnedByRoot(int fd, mode_t type, absl::string_view path) {
  struct stat st;
  if (fstat(fd, &st) != 0) return base::ErrnoStatus(absl::StrCat("stat ", path));
  if ((st.st_mode & S_IFMT) != type) {
    return absl::PermissionDeniedError(absl::StrCat(path, ": of the wrong type"));
  }
  if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(path, ": may be changed by others than root"));
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::network
