#pragma once

#include "absl/status/status.h"
#include "schema/pod.capnp.h"

namespace bulkhead::validate {

// INVALID_ARGUMENT naming the CRI field ("config.metadata.name: ...") for the first thing wrong.
// Bounds: names 253 bytes, 256 labels of 64 KiB in all, 256 KiB of annotations, paths as
// base/clean_path.h, hostname 64 bytes RFC 1123, DNS 32 servers (IP addresses), sysctls by
// security/policy/sysctl.h. UNIMPLEMENTED for user namespaces.
absl::Status CheckPodConfig(schema::PodConfig::Reader config);

}  // namespace bulkhead::validate
