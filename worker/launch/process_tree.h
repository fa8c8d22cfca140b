#pragma once

namespace bulkhead::launch {

// Sends SIGKILL to all that descends from this process now. Nobody else may wait for its children
// meanwhile.
void KillDescendants();

}  // namespace bulkhead::launch
