#pragma once

#include <capnp/list.h>

#include "absl/strings/string_view.h"
#include "schema/common.capnp.h"

// Where a worker's time went, for its answer. A worker has one job, so there is one list.
namespace bulkhead::worker {

// The job is here: what the worker waited before, as a spare may for hours, is no step of it.
void BeginSteps();

// Ends a step that began with the last mark, or with the job.
// name: a literal; at most 16 are kept.
void MarkStep(const char* name);

size_t StepCount();
void WriteSteps(capnp::List<schema::Step>::Builder steps);

}  // namespace bulkhead::worker
