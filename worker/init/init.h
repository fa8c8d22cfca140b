#pragma once

#include <string>

#include "base/unique_fd.h"

namespace bulkhead::init {

// Reaps children and answers the broker (schema/worker/init.capnp) until it is told to end, or
// first has ended. first: a pidfd of the shared namespace's process 1, which may be the caller.
void Serve(const std::string& pod_id, base::UniqueFd listener, base::UniqueFd first);

// What is left of it for a process 1 that is another's child: reaps.
[[noreturn]] void ServeOrphans();

}  // namespace bulkhead::init
