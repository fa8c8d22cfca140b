#pragma once

#include <sys/types.h>

namespace bulkhead::launch {

// Sends SIGKILL to the process and to all that descend from it now. The caller must know that pid
// has not been waited for yet.
void KillTree(pid_t pid);

}  // namespace bulkhead::launch
