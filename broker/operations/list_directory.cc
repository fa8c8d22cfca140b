#include "broker/operations/list_directory.h"

#include <dirent.h>
#include <fcntl.h>

#include "absl/cleanup/cleanup.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace bulkhead::broker {

absl::StatusOr<std::vector<std::string>> ListDirectory(int dirfd) {
  base::UniqueFd again(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again) return base::ErrnoStatus("open a directory");
  DIR* directory = fdopendir(again.get());
  if (directory == nullptr) return base::ErrnoStatus("read a directory");
  (void)again.Release();  // the stream owns it now
  absl::Cleanup close = [directory] { closedir(directory); };
  std::vector<std::string> names;
  while (const dirent* entry = readdir(directory)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

}  // namespace bulkhead::broker
