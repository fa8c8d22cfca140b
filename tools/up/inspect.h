#pragma once

#include "absl/status/status.h"
#include "security/enforce/enter.h"
#include "tools/up/child.h"

namespace bulkhead::tools {

// Compares a running daemon with its table, once it has entered it. FAILED_PRECONDITION lists the differences.
absl::Status InspectDaemon(const Child& child, const security::Places& places);

// Has the spawner start a worker of each kind, compares each with its table and lets it end without a job. spawner: the
// broker's end of its socket, which nobody uses afterwards. FAILED_PRECONDITION lists the differences.
absl::Status TestWorkers(int spawner, const security::Places& places);

}  // namespace bulkhead::tools
