#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace bulkhead::test {

struct ProcessInfo {
  pid_t pid = 0;
  pid_t parent = 0;
  std::string name;  // comm
  char state = '?';
};

// All that descend from root, root itself left out, zombies included.
std::vector<ProcessInfo> Descendants(pid_t root);
// Reaps the orphans that came to this process as their subreaper and have ended. Only where no
// Process is left.
void ReapOrphans();
// Kills and reaps all that this process started or inherited as subreaper.
void KillDescendants();

// Mount points in this process's mount namespace, "path type", sorted.
std::vector<std::string> Mounts();
// Detaches all mounts below a directory, the last ones first.
void UnmountBelow(const std::string& directory);

// Whether somebody listens on this port of 127.0.0.1.
bool CanConnect(int port);

}  // namespace bulkhead::test
