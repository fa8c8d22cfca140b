#pragma once

#include <string>

#include "absl/status/status.h"
#include "broker/broker.h"

namespace bulkhead::broker {

// Takes the name of a damaged blob or layer away, so that nothing finds it any more and a whole one
// can take its place; what is in it stays where it was, for people to look at, until images are
// pruned. Missing is success.
absl::Status QuarantineBlob(Broker& broker, const std::string& hex);
absl::Status QuarantineLayer(Broker& broker, const std::string& diff_id_hex);
// Whether a name in the blobs' or layers' directory is that of something put aside.
bool IsQuarantined(absl::string_view name);
// Deletes what was put aside.
absl::Status EmptyQuarantine(Fiber& fiber, Broker& broker);

}  // namespace bulkhead::broker
