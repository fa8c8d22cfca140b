// SECURITY: root with the right to read every file of the node and, by Landlock, to write none; it
// reads none either. The broker gives it its job. Who owns it can hand the broker any file's
// descriptor, which is why it looks at names, owners and types alone and parses nothing.
#include "security/profile.h"
#include "worker/nodefile/job.h"

int main() {
  using namespace bulkhead;
  worker::Begin(security::kNodefileProfile);
  const absl::Status confined = nodefile::ConfineToReading();
  if (!confined.ok()) worker::Die("confine to reading", confined);
  worker::ServeJob<schema::NodefileJob, schema::NodefileResult>(
      0, [](auto job, std::vector<base::UniqueFd>, auto result) {
        return nodefile::RunNodefileJob(job, result);
      });
  return 0;
}
