#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/cgroup.h"
#include "worker/container/run.h"

namespace bulkhead::lxc {

// What the keeper is to make a container of, beside what stands in the bundle's lxc.conf.
struct KeeperJob {
  std::string bundle;
  std::string container_id;
  std::vector<std::string> args;
  std::vector<std::string> environment;  // NAME=value
  container::Streams streams;
  std::string console;     // socket that wants the terminal; empty: none
  uid_t stream_owner = 0;  // on the node
  base::CgroupMode cgroup_mode = base::CgroupMode::kV1;
};

// Forks a process that calls liblxc's start and so is the container's parent until it ends: its own
// exit code is the container's, 128 and the signal where one ended it. It is this process's child.
// Afterwards the container waits at the bundle's gate.
absl::StatusOr<container::Run> StartKeeper(const KeeperJob& job);

// For children that call the library: no path to newuidmap, and no word of the node's.
void ClearEnvironment();
// Programs open /dev/stdout and its like again.
absl::Status GiveStreams(const container::Streams& streams, uid_t owner);
// Makes fds the standard streams of this process, in a session of its own.
absl::Status TakeStreams(const container::Streams& streams);
// Sends the master of a terminal to a socket that waits for it.
absl::Status SendTerminal(const std::string& socket, int master);

// From liblxc's error_num after start. started: what start returned.
int ExitCodeOf(bool started, int error_num);

// The library's processes find their locks in the bundle.
absl::Status ShowLocks(const std::string& bundle);

}  // namespace bulkhead::lxc
