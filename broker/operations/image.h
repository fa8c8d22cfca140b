#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker.h"

namespace bulkhead::broker {

// Fetches what is missing of the image and names it. Returns its id. On failure nothing of it is
// left.
absl::StatusOr<std::string> PullImage(Fiber& fiber, Broker& broker, Pull& pull);
// The same for a caller who may go away by dropping the promise. Another who asks for the same with
// the same credentials at the same time shares the pull; it is abandoned when the last of them is
// gone. Waits for its turn.
kj::Promise<absl::StatusOr<std::string>> JoinPull(Broker& broker,
                                                  schema::ImageReference::Reader reference,
                                                  schema::RegistryAuth::Reader auth);
// Takes the images of an archive (read-only, seekable). Returns their ids. reference may be empty.
absl::StatusOr<std::vector<std::string>> ImportImages(Fiber& fiber, Broker& broker, int archive,
                                                      schema::ImageReference::Reader reference);
// By id or by any of its names. Unknown is success. Its layers go with the last image or container
// that needs them.
absl::Status RemoveImage(Fiber& fiber, Broker& broker, const std::string& name);

// Removes the images that nothing names (tags) and no container uses; all: also those that have
// tags. Never one that is pinned. And what checks have put aside. Returns the ids of those that
// went.
enum class Prune { kUntagged, kAll };
absl::StatusOr<std::vector<std::string>> PruneImages(Fiber& fiber, Broker& broker, Prune which);
// Writes the image into archive, an empty file, by a worker. Returns its size. NOT_FOUND;
// FAILED_PRECONDITION: its layers were not kept as they came; DATA_LOSS: one of them is damaged.
// What was written then is worth nothing.
absl::StatusOr<uint64_t> ExportImage(Fiber& fiber, Broker& broker, const std::string& name,
                                     int archive);
// Whether the configuration asks that the image be kept: by a glob over its names, or as the
// sandbox image.
bool IsPinned(const Broker& broker, schema::Image::Reader image);
// DATA_LOSS: a layer of the image is missing, or a check found it damaged.
absl::Status CheckLayersUsable(const Broker& broker, schema::Image::Reader image);

// Deletes the layers that no image and no container needs.
absl::Status CollectLayers(Fiber& fiber, Broker& broker);
// Lets go of what was kept for pulls that nobody has taken up again for a day.
void DropExpiredPulls(Broker& broker);
// All of it, after a failed pull or import; what cannot be deleted now is logged and goes at the
// next start.
void CollectUnused(Fiber& fiber, Broker& broker);
// Deletes the manifests and configurations that no image has.
absl::Status CollectBlobs(Broker& broker);
// The names of the blobs that images have.
std::set<std::string> BlobsInUse(const State& state);

}  // namespace bulkhead::broker
