#pragma once

#include "absl/status/status.h"
#include "broker/plan/container_spec.h"

namespace bulkhead::broker {

// The container's first process: command and arguments merged with the image's, environment, directory, user,
// capabilities, seccomp. INVALID_ARGUMENT: there is nothing to run.
absl::Status PlanProcess(const ContainerInputs& in, schema::Process::Builder out);

}  // namespace bulkhead::broker
