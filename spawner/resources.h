#pragma once

#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "security/enforce/enter.h"
#include "security/profile.h"

namespace bulkhead::spawner {

// What workers are made of, opened once at the start, so that nothing that happens to a path later
// counts.
class Resources {
 public:
  // Kinds whose program is missing cannot be started (NOT_FOUND then); a missing directory is an
  // error now.
  static absl::StatusOr<Resources> Open(int programs, const security::Places& places);

  // NOT_FOUND: no such program was there at the start. The fd stays ours.
  absl::StatusOr<int> Program(security::Kind kind) const;
  // Takes the place of what workers to come get for this row.
  void Replace(security::Dir dir, base::UniqueFd fd) { directories_[dir] = std::move(fd); }
  // The fds of the table's directory rows, in their order. They stay ours.
  std::vector<int> Directories(const security::Profile& profile) const;

 private:
  std::map<security::Kind, base::UniqueFd> programs_;
  std::map<security::Dir, base::UniqueFd> directories_;
};

// Whether the broker may ask for it: a worker that is not made from another one.
bool IsSpawnable(const security::Profile& profile);

}  // namespace bulkhead::spawner
