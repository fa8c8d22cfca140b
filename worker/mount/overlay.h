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

// Detached, id-mapped, read-only views of the layers, uppermost first as overlayfs counts them. In
// the node's mount namespace, so before anything is mounted by OverlayMethod::kNamespace. Images
// that were mounted for it go to *made.
absl::StatusOr<std::vector<base::UniqueFd>> OpenLayers(const OverlayRequest& request,
                                                       std::vector<NewMount>* made);

// Mounts them as one detached overlay.
absl::StatusOr<base::UniqueFd> MountOverlay(const OverlayRequest& request,
                                            std::vector<base::UniqueFd> layers,
                                            OverlayMethod method = OverlayMethod::kBest);

// What lies at path in a detached tree, as a detached tree of its own; links in path stay inside.
// NOT_FOUND: nothing.
absl::StatusOr<base::UniqueFd> CloneBelow(base::UniqueFd tree, const std::string& path,
                                          OverlayMethod method = OverlayMethod::kBest);

}  // namespace bulkhead::mount
