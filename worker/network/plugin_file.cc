#include "worker/network/plugin_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "security/policy/plugin_name.h"
#include "worker/network/owned_by_root.h"

namespace bulkhead::network {
namespace {

absl::StatusOr<base::UniqueFd> OpenIn(const std::string& dir, const std::string& name) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd dir_fd, base::OpenAt(AT_FDCWD, dir, O_PATH | O_DIRECTORY,
                                                                base::Resolve::kHost));
  BULKHEAD_RETURN_IF_ERROR(CheckOwnedByRoot(dir_fd.get(), S_IFDIR, dir));
  // A link may name another file of the directory, as for several plugins in one program, but
  // nothing outside.
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd,
                            base::OpenAt(dir_fd.get(), name, O_PATH, base::Resolve::kInRoot));
  BULKHEAD_RETURN_IF_ERROR(CheckOwnedByRoot(fd.get(), S_IFREG, absl::StrCat(dir, "/", name)));
  return fd;
}

}  // namespace

absl::StatusOr<PluginFile> OpenPlugin(const std::vector<std::string>& bin_dirs,
                                      const std::string& name) {
  if (!security::IsPluginName(name))
    return absl::InvalidArgumentError("plugin: not a plugin's name");
  for (const std::string& dir : bin_dirs) {
    absl::StatusOr<base::UniqueFd> fd = OpenIn(dir, name);
    if (absl::IsNotFound(fd.status())) continue;
    if (!fd.ok()) return fd.status();
    return PluginFile{*std::move(fd), absl::StrCat(dir, "/", name)};
  }
  return absl::NotFoundError(absl::StrCat("plugin ", name, ": in none of the plugin directories"));
}

}  // namespace bulkhead::network
