#pragma once

#include "absl/status/status.h"
#include "security/enforce/enter.h"

namespace bulkhead::security {

// Has the spawner start one worker of each kind, compares each with its table (enforce/inspect.h)
// once it has said hello, and lets it end without a job. spawner: the broker's end of its socket
// (SOCK_SEQPACKET, ipc/spawn_protocol.h), fresh and not used for anything else afterwards.
// FAILED_PRECONDITION lists every difference. Takes well under a second; gives up after some.
absl::Status TestWorkers(int spawner, const Places& places);

}  // namespace bulkhead::security
