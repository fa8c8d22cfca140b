#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "schema/registries.capnp.h"

namespace bulkhead::validate {

// The credentials of one pull: what the frontend made of CRI's AuthConfig, and the broker checks
// again. INVALID_ARGUMENT names the field and never its value.
absl::Status CheckAuth(absl::string_view field, schema::RegistryAuth::Reader auth);

// The host[:port] of a server_address as Docker's configuration files have it: a host, a URL, or
// Docker's own "https://index.docker.io/v1/". Empty stays empty.
absl::StatusOr<std::string> RegistryOfAddress(absl::string_view field, absl::string_view address);

}  // namespace bulkhead::validate
