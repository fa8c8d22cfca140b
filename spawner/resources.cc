#include "spawner/resources.h"

#include <fcntl.h>

#include "absl/strings/str_cat.h"
#include "base/cgroup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "security/enforce/spawn.h"

namespace bulkhead::spawner {
namespace {

using base::UniqueFd;
using security::Dir;

absl::StatusOr<UniqueFd> OpenDirectory(const std::string& path) {
  return base::OpenAt(AT_FDCWD, path, O_PATH | O_DIRECTORY, base::Resolve::kHost);
}

}  // namespace

bool IsSpawnable(const security::Profile& profile) {
  return profile.kind >= security::Kind::kFetch && profile.kind != security::Kind::kMonitor;
}

absl::StatusOr<Resources> Resources::Open(int programs, const security::Places& places) {
  Resources resources;
  for (const security::Profile* profile : security::AllProfiles()) {
    if (!IsSpawnable(*profile)) continue;
    const std::string name = absl::StrCat("bulkhead-worker-", profile->name);
    absl::StatusOr<UniqueFd> program =
        base::OpenAt(programs, name, O_PATH | O_NOFOLLOW, base::Resolve::kBeneathNoSymlinks);
    if (program.ok()) {
      resources.programs_[profile->kind] = *std::move(program);
    } else {
      base::Log(base::Severity::kWarning, "no such worker",
                {{"program", name}, {"error", program.status().message()}});
    }
  }
  const std::pair<Dir, std::string> paths[] = {
      {Dir::kRoot, places.root_dir},
      {Dir::kRun, places.run_dir},
      {Dir::kLayers, absl::StrCat(places.root_dir, "/layers")},
      {Dir::kContainers, absl::StrCat(places.root_dir, "/containers")},
      {Dir::kCgroup, base::kCgroupMount},
      {Dir::kProc, "/proc"},
  };
  for (const auto& [dir, path] : paths) {
    BULKHEAD_ASSIGN_OR_RETURN(resources.directories_[dir], OpenDirectory(path));
  }
  // Until the supervisor sends what root has configured.
  BULKHEAD_ASSIGN_OR_RETURN(resources.directories_[Dir::kRegistries],
                            base::MakeSealedMemfd("bulkhead-registries", ""));
  BULKHEAD_ASSIGN_OR_RETURN(resources.directories_[Dir::kLayerIds],
                            security::MakeLayerIdsNamespace());
  return resources;
}

absl::StatusOr<int> Resources::Program(security::Kind kind) const {
  const auto found = programs_.find(kind);
  if (found == programs_.end()) return absl::NotFoundError("no such program");
  return found->second.get();
}

std::vector<int> Resources::Directories(const security::Profile& profile) const {
  std::vector<int> fds;
  for (const security::FdRow& row : profile.fds) {
    if (row.is_dir) fds.push_back(directories_.at(row.dir).get());
  }
  return fds;
}

}  // namespace bulkhead::spawner
