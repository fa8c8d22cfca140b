#include "worker/network/config_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "worker/network/owned_by_root.h"

namespace bulkhead::network {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

bool IsConfigName(absl::string_view name) {
  return absl::EndsWith(name, ".conf") || absl::EndsWith(name, ".conflist") ||
         absl::EndsWith(name, ".json");
}

absl::StatusOr<std::vector<std::string>> ConfigNames(int dir_fd) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd copy, base::Duplicate(dir_fd));
  std::unique_ptr<DIR, CloseDir> dir(fdopendir(copy.get()));
  if (dir == nullptr) return base::ErrnoStatus("read the configuration directory");
  [[maybe_unused]] const int owned_by_dir = copy.Release();
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(dir.get());
    if (entry == nullptr && errno != 0)
      return base::ErrnoStatus("read the configuration directory");
    if (entry == nullptr) break;
    if (IsConfigName(entry->d_name)) names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<base::UniqueFd> OpenConfig(int dir, const std::string& name) {
  // O_NONBLOCK: a pipe of that name must not stop us.
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, base::OpenAt(dir, name, O_RDONLY | O_NONBLOCK,
                                                            base::Resolve::kBeneathNoSymlinks));
  BULKHEAD_RETURN_IF_ERROR(CheckOwnedByRoot(fd.get(), S_IFREG, name));
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return base::ErrnoStatus("stat");
  if (st.st_size > kMaxConfigBytes) return absl::ResourceExhaustedError("over 64 KiB");
  return fd;
}

}  // namespace

absl::StatusOr<ConfigFiles> OpenConfigFiles(const std::string& dir) {
  absl::StatusOr<base::UniqueFd> dir_fd =
      base::OpenAt(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, base::Resolve::kHost);
  if (absl::IsNotFound(dir_fd.status())) return ConfigFiles{};
  if (!dir_fd.ok()) return dir_fd.status();
  BULKHEAD_RETURN_IF_ERROR(CheckOwnedByRoot(dir_fd->get(), S_IFDIR, dir));
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> names, ConfigNames(dir_fd->get()));
  ConfigFiles files;
  for (const std::string& name : names) {
    absl::StatusOr<base::UniqueFd> fd = files.names.size() < kMaxConfigFiles
                                            ? OpenConfig(dir_fd->get(), name)
                                            : absl::ResourceExhaustedError("too many files");
    if (!fd.ok()) {
      base::Log(base::Severity::kWarning, "network configuration ignored",
                {{"file", name}, {"why", fd.status().message()}});
      continue;
    }
    files.names.push_back(name);
    files.fds.push_back(*std::move(fd));
  }
  return files;
}

}  // namespace bulkhead::network
