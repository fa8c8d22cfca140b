// SECURITY: handles may look at any process of the node: at what its descriptors lead to, by name.
// Its filter lets it open directories and nothing else, so no file is ever read with these
// capabilities, no memory, and no process traced, signalled or robbed of a descriptor. Landlock
// would forbid the look itself. Only the broker talks to it, with lists of processes that stats has
// opened; it parses their numbers, and compares the beginnings of names. An attacker who owns it
// learns names of files, and what processes have open.
#include "worker/handles/job.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::HandlesJob, schema::HandlesResult>(
      security::kHandlesProfile, ipc::kMaxFds,
      [](schema::HandlesJob::Reader job, std::vector<base::UniqueFd> fds,
         schema::HandlesResult::Builder result) {
        return handles::RunHandlesJob(job, std::move(fds), worker::kFirstDirFd, result);
      });
}
