#pragma once

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "schema/registries.capnp.h"
#include "tools/config/settings.h"

namespace bulkhead::tools {

// How registries are reached: the settings' own, those of the hosts.toml trees, and the proxies of
// the settings or else of this process's environment. Reads all files that they name. The errors
// name file and key.
absl::Status EncodeRegistries(const Settings& settings, schema::Registries::Builder out);

// The same as a sealed memfd that only fetch workers may get: it holds private keys. Copies in this
// process's memory are overwritten.
absl::StatusOr<base::UniqueFd> RegistriesMemfd(const Settings& settings);

}  // namespace bulkhead::tools
