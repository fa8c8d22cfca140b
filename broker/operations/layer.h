#pragma once

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

// Unpacks the layer, unless the store has it, and checks both digests before it counts. Two operations that need the
// same layer unpack it once.
absl::Status EnsureLayer(Fiber& fiber, Broker& broker, const LayerSource& source);
// All of them, two at a time (a machine has few cores, and unpacking uses two processes each). The first error.
absl::Status EnsureLayers(Fiber& fiber, Broker& broker, const std::vector<LayerSource>& sources);

// Image configuration and manifest documents: checked against digest (32 bytes, may be empty), parsed by a worker.
struct Document {
  int fd = -1;
  uint64_t offset = 0;
  uint64_t size = 0;
  std::string digest;
};

std::string DigestBytes(schema::Digest::Reader digest);
// "sha256:<hex>"
std::string DigestText(absl::string_view bytes);

}  // namespace bulkhead::broker
