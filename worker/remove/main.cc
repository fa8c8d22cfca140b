// SECURITY: remove may delete any file below the two directories that it holds, and nothing else:
// an empty root, a user namespace of its own. Only the broker talks to it, with one digest, id or
// staging name; the file names that it walks come from images and containers. An attacker who owns
// it can delete layers and containers' files.
#include "worker/remove/job.h"

int main() {
  using namespace bulkhead;
  const remove::Places places = {.layers = worker::kFirstDirFd,
                                 .containers = worker::kFirstDirFd + 1};
  return worker::RunWorker<schema::RemoveJob, schema::RemoveResult>(
      security::kRemoveProfile, 0,
      [&places](schema::RemoveJob::Reader job, std::vector<base::UniqueFd>,
                schema::RemoveResult::Builder result) {
        return remove::RunRemoveJob(job, places, result);
      });
}
