#pragma once

#include "absl/status/status.h"
#include "frontend/cri/call.h"
#include "schema/registries.capnp.h"

namespace bulkhead::frontend {

// Credentials of a pull. Of several kinds in one AuthConfig the most direct one is taken: registry
// token, identity token, user and password, auth. INVALID_ARGUMENT names the field and never its
// value.
absl::Status ToAuth(const v1::AuthConfig& from, schema::RegistryAuth::Builder to);

}  // namespace bulkhead::frontend
