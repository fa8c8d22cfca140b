#pragma once

#include <cstdint>
#include <string>

namespace bulkhead::container {

// Sends SIGKILL to all that descends from this process now. Nobody else may wait for its children
// meanwhile.
void KillDescendants();

// Kills all processes in this container's cgroup that carry the mark: what a command left behind in
// the background is nobody's descendant any more, but has inherited it. The mark is the bound of
// POSIX message queues, which children get from their parents.
void KillMarked(uint64_t mark, const std::string& container_id);
// A mark that no other command in the container has; 0 where this process's own bound leaves no
// room for one.
uint64_t NewMark();

}  // namespace bulkhead::container
