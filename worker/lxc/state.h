#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "worker/container/place.h"

namespace bulkhead::lxc {

// What later jobs need to know of a container, in its bundle.
struct State {
  std::string cgroup;         // absolute
  pid_t keeper = 0;           // the library's process; 0: none was there yet
  uint64_t keeper_start = 0;  // when it began, in the kernel's ticks: numbers are used again
  pid_t first = 0;            // the container's first process
  uid_t root_id = 0;          // on the node, of the container's root
  int namespaces = 0;         // CLONE_NEW*: those that are not the node's
};

absl::Status SaveState(const container::Place& place, const State& state);
// NOT_FOUND: nothing was made.
absl::StatusOr<State> LoadState(const container::Place& place);

// When a process began; 0: it has ended.
uint64_t StartOf(pid_t pid);
// Whether the keeper is still that process.
bool IsAlive(const State& state);

}  // namespace bulkhead::lxc
