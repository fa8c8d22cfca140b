#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker.h"

namespace bulkhead::broker {

// Fetches what is missing of the image and names it. Returns its id. On failure nothing of it is left.
absl::StatusOr<std::string> PullImage(Fiber& fiber, Broker& broker, Pull& pull);
// The same for a caller who may go away by dropping the promise. Another who asks for the same with the same credentials
// at the same time shares the pull; it is abandoned when the last of them is gone. Waits for its turn.
kj::Promise<absl::StatusOr<std::string>> JoinPull(Broker& broker,
                                                  schema::ImageReference::Reader reference,
                                                  schema::RegistryAuth::Reader auth);
// Takes the images of an archive (read-only, seekable). Returns their ids. reference may be empty.
absl::StatusOr<std::vector<std::string>> ImportImages(Fiber& fiber, Broker& broker, int archive,
                                                      schema::ImageReference::Reader reference);
// By id or by any of its names. Unknown is success. Its layers go with the last image or container that needs them.
absl::Status RemoveImage(Fiber& fiber, Broker& broker, const std::string& name);

// Deletes the layers that no image and no container needs.
absl::Status CollectLayers(Fiber& fiber, Broker& broker);
// Both, after a failed pull or import; what cannot be deleted now is logged and goes at the next start.
void CollectUnused(Fiber& fiber, Broker& broker);
// Deletes the manifests and configurations that no image has.
absl::Status CollectBlobs(Broker& broker);

}  // namespace bulkhead::broker
