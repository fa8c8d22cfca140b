#pragma once

#include "absl/status/status.h"
#include "broker/broker.h"

namespace bulkhead::broker {

// RESOURCE_EXHAUSTED: what is left below <root_dir> is kept for ending and removing things, and for
// the records of that.
absl::Status RequireSpace(const Broker& broker);

}  // namespace bulkhead::broker
