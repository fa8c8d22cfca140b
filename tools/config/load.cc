#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "tools/config/settings.h"

namespace bulkhead::tools {
namespace {

// Whoever can write the configuration names programs that root runs.
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

absl::Status ApplyFile(const std::string& file, Settings* settings) {
  BULKHEAD_ASSIGN_OR_RETURN(
      base::UniqueFd fd, base::OpenAt(AT_FDCWD, file, O_RDONLY | O_NONBLOCK, base::Resolve::kHost));
  BULKHEAD_RETURN_IF_ERROR(CheckOwner(fd.get(), file));
  BULKHEAD_ASSIGN_OR_RETURN(std::string text, base::ReadAll(fd.get(), kMaxConfigFileBytes));
  return ApplyToml(text, file, settings);
}

// The *.toml names of a directory, sorted; none where it is missing.
absl::StatusOr<std::vector<std::string>> TomlNames(const std::string& directory) {
  std::vector<std::string> names;
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr && errno == ENOENT) return names;
  if (dir == nullptr) return base::ErrnoStatus(absl::StrCat("open ", directory));
  absl::Cleanup close = [dir] { closedir(dir); };
  while (const dirent* entry = readdir(dir)) {
    absl::string_view name = entry->d_name;
    if (absl::EndsWith(name, ".toml") && name.front() != '.') names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

absl::StatusOr<Settings> LoadSettings(const std::string& file) {
  Settings settings;
  std::string main = file.empty() ? kDefaultConfigFile : file;
  absl::Status status = ApplyFile(main, &settings);
  bool may_be_missing = file.empty();
  if (!status.ok() && !(may_be_missing && absl::IsNotFound(status))) return status;
  std::string directory = absl::StrCat(main, ".d");
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> names, TomlNames(directory));
  for (const std::string& name : names) {
    BULKHEAD_RETURN_IF_ERROR(ApplyFile(absl::StrCat(directory, "/", name), &settings));
  }
  BULKHEAD_RETURN_IF_ERROR(base::Annotate(CheckSettings(settings), main));
  return settings;
}

}  // namespace bulkhead::tools
