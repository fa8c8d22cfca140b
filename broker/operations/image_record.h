#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker.h"

namespace bulkhead::broker {

struct ImageNames {
  std::vector<std::string> tags;
  std::vector<std::string> digests;
  std::vector<Record<schema::Evidence>> evidence;  // of signatures that the policy asked for
  std::vector<std::string> layer_blobs;            // digests of those that are kept; all or none
};

// Records the image under these names; they leave whatever other image had them (a tag that moved).
// Keeps the names that the image has.
absl::Status NameImage(Broker& broker, const std::string& config_digest,
                       schema::ImageConfig::Reader config, uint64_t size_bytes,
                       const std::string& manifest_digest, const ImageNames& names);

}  // namespace bulkhead::broker
