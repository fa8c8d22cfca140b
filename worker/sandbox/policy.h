#pragma once

#include "absl/status/status.h"
#include "schema/worker/sandbox.capnp.h"

namespace bulkhead::sandbox {

// The node's policy, held against a make once more: namespaces of the node, and sysctls. It comes
// from root, not from the broker. run: fd of <run_dir>. PERMISSION_DENIED names the field and the
// key of the policy; any other error: there is no policy, so nothing is granted.
absl::Status CheckPolicy(schema::SandboxJob::Make::Reader make, int run);

}  // namespace bulkhead::sandbox
