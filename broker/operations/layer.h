#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker.h"
#include "schema/common.capnp.h"

namespace bulkhead::broker {

// Where a layer's (compressed) bytes lie.
struct LayerSource {
  int fd = -1;
  uint64_t offset = 0;
  uint64_t size = 0;
  std::string digest;   // of the bytes there, 32 bytes; empty: not known
  std::string diff_id;  // of the tar in them, 32 bytes
};

// Fetches a layer's bytes into a file. Calls begun with the file as soon as bytes may come, and
// returns it when they are all there and nobody can change them any more.
using LayerFetch =
    std::function<absl::StatusOr<base::UniqueFd>(Fiber& fiber, std::function<void(int)> begun)>;

struct WantedLayer {
  LayerSource source;
  LayerFetch fetch;  // null: source.fd has the bytes already
};

// Makes the layers of one image, unless the store has them, some at a time. Each is made while its
// bytes still come; it counts when both digests are right, of exactly the bytes that it was made
// from, and its fetcher has ended well. Two operations that need the same layer make it once. The
// first error; RESOURCE_EXHAUSTED: over a budget of the configuration's.
absl::Status EnsureLayers(Fiber& fiber, Broker& broker, std::vector<WantedLayer> layers);

std::string DigestBytes(schema::Digest::Reader digest);
// "sha256:<hex>"
std::string DigestText(absl::string_view bytes);

}  // namespace bulkhead::broker
