#pragma once

#include <string>

#include "base/unique_fd.h"

namespace bulkhead::init {

// Reaps children and answers the broker (schema/worker/init.capnp) until it is told to end.
void Serve(const std::string& pod_id, base::UniqueFd listener);

}  // namespace bulkhead::init
