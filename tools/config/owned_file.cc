#include "tools/config/owned_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::tools {
namespace {

absl::Status CheckOwner(int fd, const std::string& file) {
  struct stat st;
  if (fstat(fd, &st) != 0) return base::ErrnoStatus(absl::StrCat("stat ", file));
  if (!S_ISREG(st.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": not a regular file"));
  }
  if (st.st_uid != 0 && st.st_uid != geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat(file, ": belongs to uid ", st.st_uid));
  }
  if ((st.st_mode & 022) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(file, ": others than its owner may write it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadOwnedFile(const std::string& file, size_t max) {
  BULKHEAD_ASSIGN_OR_RETURN(
      base::UniqueFd fd, base::OpenAt(AT_FDCWD, file, O_RDONLY | O_NONBLOCK, base::Resolve::kHost));
  BULKHEAD_RETURN_IF_ERROR(CheckOwner(fd.get(), file));
  absl::StatusOr<std::string> text = base::ReadAll(fd.get(), max);
  if (!text.ok()) return base::Annotate(text.status(), file);
  return text;
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& directory,
                                                 absl::string_view ending) {
  std::vector<std::string> names;
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return base::ErrnoStatus(absl::StrCat("open ", directory));
  absl::Cleanup close = [dir] { closedir(dir); };
  while (const dirent* entry = readdir(dir)) {
    absl::string_view name = entry->d_name;
    if (absl::EndsWith(name, ending) && name.front() != '.') names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace bulkhead::tools
