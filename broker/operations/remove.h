#pragma once

#include <string>

#include "absl/status/status.h"
#include "broker/broker.h"
#include "broker/spawner/worker.h"

namespace bulkhead::broker {

// Deletes a container's upper directory, a layer, or a half-unpacked layer, where these are
// directories. Missing is success. remover: of kind remove, begun while something else is under
// way.
absl::Status RemoveContainerFiles(Fiber& fiber, Worker& remover, const std::string& container_id);
absl::Status RemoveLayerDirectory(Fiber& fiber, Broker& broker, const std::string& diff_id_hex);
absl::Status RemoveStagingDirectory(Fiber& fiber, Broker& broker, const std::string& name);

}  // namespace bulkhead::broker
