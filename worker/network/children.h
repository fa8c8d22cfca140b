#pragma once

#include <sys/types.h>

#include "absl/status/status.h"

// A plugin may fork, detach and leave children behind. This process adopts them all, so that it can
// end them all.
namespace bulkhead::network {

// From now on orphans among the descendants become children of this process.
absl::Status AdoptOrphans();

// Kills the process group of leader, an unreaped child, and every descendant of this process, and
// reaps them. *leader_status gets what wait(2) says about leader. DEADLINE_EXCEEDED: some would not
// die within two seconds.
absl::Status EndAllChildren(pid_t leader, int* leader_status);

}  // namespace bulkhead::network
