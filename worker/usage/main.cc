// SECURITY: usage may list any directory below <root_dir>/containers, whoever owns it, and open no
// file: Landlock grants it nothing else, and its user namespace keeps its one capability to that.
// Only the broker talks to it, with container ids; containers chose the names that it walks past.
// An attacker who owns it learns the names and sizes of containers' files.
#include "worker/usage/job.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::UsageJob, schema::UsageResult>(
      security::kUsageProfile, 0,
      [](schema::UsageJob::Reader job, std::vector<base::UniqueFd>,
         schema::UsageResult::Builder result) {
        return usage::RunUsageJob(job, worker::kFirstDirFd, result);
      });
}
