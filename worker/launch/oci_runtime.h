#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "worker/container/runtime.h"

namespace bulkhead::launch {

// An OCI runtime's program, and how it is always called.
class OciRuntime : public container::Runtime {
 public:
  // PERMISSION_DENIED where the program or a bit of it is not root's alone; NOT_FOUND names the
  // path.
  static absl::StatusOr<std::unique_ptr<container::Runtime>> Open(schema::LaunchJob::Reader job,
                                                                  const container::Place& place);

  absl::StatusOr<Made> Create(const Creation& creation) override;
  absl::Status Start() override;
  void Kill() override;
  absl::Status Delete(bool force) override;
  absl::StatusOr<container::Run> Exec(schema::Process::Reader process, uint64_t mark,
                                      const container::Streams& streams) override;
  absl::StatusOr<pid_t> ExecDetached(schema::Process::Reader process,
                                     const container::Streams& streams,
                                     const std::string& console) override;

 private:
  OciRuntime(std::string path, bool systemd, container::Place place);
  // Starts it with arguments after the global ones.
  absl::StatusOr<container::Run> Start(const std::vector<std::string>& arguments,
                                       const container::Streams& streams) const;
  // Starts it without streams and waits. Not 0: INTERNAL with its complaint.
  absl::Status Call(const std::vector<std::string>& arguments, absl::Duration patience) const;

  const std::string path_;
  const bool systemd_;
  const container::Place place_;
  base::UniqueFd process_file_;  // of the command that Exec started
};

}  // namespace bulkhead::launch
