#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "schema/worker/launch.capnp.h"
#include "worker/container/run.h"

namespace bulkhead::lxc {

// A command that joins a container.
struct AttachJob {
  schema::Process::Reader process;
  std::string bundle;
  std::string container_id;
  int keeper = 0;      // the library's process, in whose network its socket is
  int namespaces = 0;  // CLONE_NEW*: those of the container that are not the node's
  int oom_score_adj = 0;
  uint64_t mark = 0;       // worker/container/process_tree.h; 0: none
  uid_t stream_owner = 0;  // on the node
  container::Streams streams;
  std::string console;  // socket that wants the terminal; empty: none
  int report = -1;      // a pipe: who is to wait for the command says its number there and ends
};

// Forks a process that calls liblxc's attach. Without a pipe to report to, it ends as the command
// does. Complaint() of it says why the command could not be run.
absl::StatusOr<container::Run> StartAttach(const AttachJob& job);

}  // namespace bulkhead::lxc
