#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "worker/lxc/lxc_config.h"

namespace bulkhead::lxc {

// Those of a root file system that is attached but not entered yet. liblxc follows links as it
// makes mount points, from outside of the container: so all are made here, by openat2, and it is
// told of paths without links.
class RootfsMountPoints : public MountPoints {
 public:
  // root: the root file system. root_id: who owns what is made: the container's root.
  RootfsMountPoints(base::UniqueFd root, uid_t root_id)
      : root_(std::move(root)), root_id_(root_id) {}

  absl::StatusOr<std::string> Make(const std::string& destination,
                                   const std::string& source) override;
  absl::StatusOr<std::string> MakeDirectory(const std::string& destination) override;
  absl::StatusOr<std::optional<Found>> Find(const std::string& path) override;

 private:
  // What is mounted later below a volume lies in the volume, not in what it covers.
  struct Mounted {
    std::string path;
    std::string source;
  };
  absl::StatusOr<std::string> Walk(const std::string& destination, bool directory);
  absl::StatusOr<std::string> WalkFrom(std::string at, const std::string& path, bool directory);
  // Where a link leads; empty: it is none.
  absl::StatusOr<std::string> LinkAt(const std::string& parent, const std::string& name) const;
  absl::StatusOr<std::string> Step(const std::string& parent, const std::string& name,
                                   bool directory);
  absl::StatusOr<base::UniqueFd> Open(const std::string& path, std::string* base) const;
  absl::Status Create(const std::string& parent, const std::string& name, bool directory) const;

  const base::UniqueFd root_;
  const uid_t root_id_;
  std::vector<Mounted> mounted_;
  int links_ = 0;  // followed for one destination
};

}  // namespace bulkhead::lxc
