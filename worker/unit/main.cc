// SECURITY: unit may tell systemd what to do, as root does, and nothing else: it sees the system
// bus's socket and no other file, and its one capability is what systemd asks of who changes units;
// no system call that the capability would allow is. Only the broker talks to it, with the name of
// one unit and numbers; it parses systemd's messages with systemd's library. An attacker who owns
// it can start programs as root, through systemd.
#include "worker/unit/job.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::UnitJob, schema::UnitResult>(
      security::kUnitProfile, 0,
      [](schema::UnitJob::Reader job, std::vector<base::UniqueFd>,
         schema::UnitResult::Builder result) { return unit::RunUnitJob(job, result); });
}
