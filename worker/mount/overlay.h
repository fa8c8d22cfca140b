#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "worker/mount/layers.h"

namespace bulkhead::mount {

// How the layers reach overlayfs. Descriptors need Linux 6.15 or so; the namespace works
// since 5.19, and takes the calling process out of the node's mount namespace, so it comes last.
enum class OverlayMethod { kBest, kDescriptors, kNamespace };

struct OverlayRequest {
  int layers = -1;     // directory fd of all layers
  int layer_ids = -1;  // user namespace that takes the owners' shift back (security/layer_ids.h)
  std::vector<Layer> stack;  // lowest first; not empty
  int container = -1;  // directory fd that holds upper/ and work/; -1: read-only, without them
};

// Mounts the layers id-mapped, as one detached overlay. Layers are opened in the caller's mount
// namespace first. Images that were mounted for it go to *made.
absl::StatusOr<base::UniqueFd> MountOverlay(const OverlayRequest& request, OverlayMethod method,
                                            std::vector<NewMount>* made);

}  // namespace bulkhead::mount
