#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace bulkhead::mount {

// One layer: a directory below the layers' directory, or an EROFS image there.
struct Layer {
  std::string name;
  // The image's mount, where somebody has it already; -1: none. Stays the caller's.
  int shared = -1;
};

// A mount of an image that is worth keeping: whoever mounts it anew gets a page cache of his own.
struct NewMount {
  size_t layer;  // index of it
  base::UniqueFd mount;
};

// Mounts an EROFS image straight from its file, detached and read-only. image: a regular file's fd.
absl::StatusOr<base::UniqueFd> MountImage(int image);

// Detached, read-only views of the layers, id-mapped by the user namespace layer_ids, in the order
// of layers. What images had to be mounted goes to *made.
absl::StatusOr<std::vector<base::UniqueFd>> ViewLayers(int directory, int layer_ids,
                                                       const std::vector<Layer>& layers,
                                                       std::vector<NewMount>* made);

}  // namespace bulkhead::mount
