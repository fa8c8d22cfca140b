#pragma once

#include "absl/status/status.h"
#include "schema/container.capnp.h"

namespace bulkhead::validate {

// The part of CheckContainerConfig that is about power: "config.linux.security_context".
absl::Status CheckSecurityContext(schema::SecurityContext::Reader security);

}  // namespace bulkhead::validate
