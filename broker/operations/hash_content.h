#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "broker/broker.h"

namespace bulkhead::broker {

struct ContentHash {
  std::string digest;  // 32 bytes
  uint64_t bytes = 0;  // that were read
};

// SHA-256 of a regular file, by a worker.
absl::StatusOr<std::string> HashFile(Fiber& fiber, Broker& broker, int file);
// Of a layer as it is on disk: worker/check/tree_digest.h. NOT_FOUND: it is not there.
absl::StatusOr<ContentHash> HashLayer(Fiber& fiber, Broker& broker, const std::string& hex);
// Records what the layer hashes to, where it is still known. What cannot be recorded is logged.
void SealLayer(Broker& broker, const std::string& hex, const std::string& digest);

}  // namespace bulkhead::broker
