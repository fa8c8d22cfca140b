#pragma once

#include <functional>

#include "absl/status/status.h"
#include "schema/worker/sandbox.capnp.h"

namespace bulkhead::sandbox {

// Makes a user namespace with the job's id mapping and, owned by it, the other namespaces that the
// job asks for; has set_up run inside them as their root, in a process of its own; then pins them
// all, and one more user namespace that shows layers with the pod's owners. The caller stays where
// it is. The caller must have one thread.
absl::Status MakeUserNamespace(int pod, schema::SandboxJob::Make::Reader make,
                               const std::function<absl::Status()>& set_up);

}  // namespace bulkhead::sandbox
