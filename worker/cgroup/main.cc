// SECURITY: cgroup holds the cgroup file system, whose files are root's, and no capability. Only
// the broker talks to it, with a path, the name that the path must end with, and numbers; it parses
// nothing but the kernel's numbers. An attacker who owns it can move, freeze and kill processes and
// change any limit of the node, and nothing else.
#include "worker/cgroup/job.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::CgroupJob, schema::CgroupResult>(
      security::kCgroupProfile, 0,
      [](schema::CgroupJob::Reader job, std::vector<base::UniqueFd>,
         schema::CgroupResult::Builder result) {
        return cgroup::RunCgroupJob(job, worker::kFirstDirFd, result);
      });
}
