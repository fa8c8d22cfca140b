#pragma once

#include "absl/status/status.h"

// What the library's process keeps once the container runs: it waits for the container's end and
// answers those that want to join it, on sockets that it has. Nothing else.
namespace bulkhead::lxc {

// Prepares a filter, and a handler of SIGWINCH, the one signal for people that liblxc leaves alone,
// which gives everything up but CAP_KILL: with it the kernel ends the container should this process
// die.
absl::Status PreparePowers();

// Asks the process to do so, and waits until it has. NOT_FOUND: it has ended. FAILED_PRECONDITION:
// it has not.
absl::Status DropPowersOf(int pid);

}  // namespace bulkhead::lxc
