#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "schema/worker/launch.capnp.h"
#include "worker/container/runtime.h"
#include "worker/container/stdio.h"

namespace bulkhead::container {

// A command that runs in the container and whose streams somebody else has. This process is its
// parent.
class StreamedExec {
 public:
  // FAILED_PRECONDITION says what the runtime said: no such program, for one. Nothing is left then.
  static absl::StatusOr<std::unique_ptr<StreamedExec>> Start(schema::LaunchJob::Reader job,
                                                             Runtime& runtime);
  ~StreamedExec();
  StreamedExec(const StreamedExec&) = delete;

  // For the answer, in the schema's order.
  std::vector<int> ClientFds() const;
  // Gives up the client's ends and waits until the command has ended, or the client has gone: then
  // it is killed.
  void Serve();

 private:
  StreamedExec() = default;
  absl::Status Launch(schema::LaunchJob::Reader job, Runtime& runtime);
  void Kill();

  Stdio stdio_;
  bool terminal_ = false;
  base::UniqueFd ours_, theirs_;  // of the socket that tells the end
  pid_t pid_ = -1;
  base::UniqueFd pidfd_;
};

}  // namespace bulkhead::container
