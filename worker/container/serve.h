#pragma once

#include "worker/container/runtime.h"

namespace bulkhead::container {

// What the main of a worker does that makes, starts and removes containers or runs commands in
// them: one job (schema/worker/launch.capnp), its answer, and then what is to last. Returns the
// exit code.
int ServeJob(const OpenRuntime& open);

}  // namespace bulkhead::container
