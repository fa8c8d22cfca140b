#pragma once

#include "absl/status/statusor.h"
#include "schema/pod.capnp.h"
#include "worker/parse/strict_json.h"

namespace bulkhead::cni {

// What this pod has to say about each of CNI's well-known capabilities: portMappings (those with a
// host port), dns, cgroupPath, bandwidth, ips, mac, ipRanges. An object with a member for each,
// without those that have nothing to say.
absl::StatusOr<worker::Json> RuntimeConfig(schema::NetworkCapabilities::Reader capabilities);

// The members of runtime_config whose capability the plugin's configuration declares as true.
worker::Json DeclaredPart(const worker::Json& plugin, const worker::Json& runtime_config);

}  // namespace bulkhead::cni
