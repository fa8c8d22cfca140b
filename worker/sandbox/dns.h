#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "schema/worker/sandbox.capnp.h"

namespace bulkhead::sandbox {

// Whether the pod has a resolv.conf of its own.
bool HasDns(schema::SandboxJob::Make::Reader make);
// Its text. INVALID_ARGUMENT: a server that is no address, or a word that would be more than one
// word of a line.
absl::StatusOr<std::string> ComposeResolvConf(schema::SandboxJob::Make::Reader make);

}  // namespace bulkhead::sandbox
