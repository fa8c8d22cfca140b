#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/deadline.h"
#include "base/unique_fd.h"
#include "schema/worker/launch.capnp.h"
#include "worker/launch/place.h"

namespace bulkhead::launch {

// The OCI runtime's program, and how it is always called.
class Runtime {
 public:
  // PERMISSION_DENIED where the program or a bit of it is not root's alone; NOT_FOUND names the
  // path.
  static absl::StatusOr<Runtime> Open(schema::LaunchJob::Reader job, const Place& place);

  // One run of it. Kills it with its session when destroyed before it ended.
  class Run {
   public:
    Run(Run&& other) noexcept;
    ~Run();
    pid_t pid() const { return pid_; }
    int pidfd() const { return pidfd_.get(); }
    // Its exit code; 128 + signal. DEADLINE_EXCEEDED: it was killed.
    absl::StatusOr<int> Wait(base::Deadline deadline);
    void Kill();
    // What it had to say, for people: one line of at most 2 KiB.
    std::string Complaint() const;

   private:
    friend class Runtime;
    Run(pid_t pid, base::UniqueFd pidfd, base::UniqueFd log);
    pid_t pid_ = -1;
    base::UniqueFd pidfd_;
    base::UniqueFd log_;
  };

  struct Streams {
    int in = -1;  // -1: /dev/null
    int out = -1;
    int err = -1;
  };
  // Starts it with arguments after the global ones, a constant environment, a session of its own
  // and no other fd.
  absl::StatusOr<Run> Start(const std::vector<std::string>& arguments,
                            const Streams& streams) const;
  // Starts it without streams and waits. Not 0: INTERNAL with its complaint.
  absl::Status Call(const std::vector<std::string>& arguments, absl::Duration patience) const;

 private:
  Runtime(std::string path, std::string state_root, bool systemd);
  std::string path_;
  std::string state_root_;
  bool systemd_;
};

// A path under which children can open this process's fd: none has to be inherited.
std::string PathForChildren(int fd);

}  // namespace bulkhead::launch
