// SECURITY: root with the right to read every file of the node and, by Landlock, to write none; it
// reads none either. The broker gives it its job. Who owns it can hand the broker any file's
// descriptor, which is why it looks at names, owners and types alone and parses nothing.
#include <fcntl.h>

#include "base/fs.h"
#include "security/enforce/enter.h"
#include "security/profile.h"
#include "worker/nodefile/job.h"

namespace bulkhead::nodefile {
namespace {

void LeaveReadingAlone() {
  absl::StatusOr<base::UniqueFd> root =
      base::OpenAt(AT_FDCWD, "/", O_PATH | O_DIRECTORY, base::Resolve::kHost);
  absl::Status status = root.status();
  if (root.ok()) status = security::ConfineToDirectories({root->get()}, security::Access::kRead);
  if (!status.ok()) worker::Die("confine to reading", status);
}

}  // namespace
}  // namespace bulkhead::nodefile

int main() {
  using namespace bulkhead;
  worker::Begin(security::kNodefileProfile);
  nodefile::LeaveReadingAlone();
  worker::ServeJob<schema::NodefileJob, schema::NodefileResult>(
      0, [](auto job, std::vector<base::UniqueFd>, auto result) {
        return nodefile::RunNodefileJob(job, result);
      });
  return 0;
}
