#pragma once

#include "absl/status/status.h"
#include "schema/worker/sandbox.capnp.h"

namespace bulkhead::sandbox {

// Writes resolv.conf and hostname, readable by all, into the pod's directory. Call in the node's
// UTS namespace. INVALID_ARGUMENT: a host name or DNS word that is none. RESOURCE_EXHAUSTED: the
// node's resolv.conf is over 64 KiB.
absl::Status WriteFiles(int pod, schema::SandboxJob::Make::Reader make);

// Letters, digits, dots and hyphens, 1 to 64.
absl::Status CheckHostname(absl::string_view hostname);

}  // namespace bulkhead::sandbox
