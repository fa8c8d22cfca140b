#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/deadline.h"
#include "base/unique_fd.h"

namespace bulkhead::container {

// What a child has as its standard streams. -1: /dev/null.
struct Streams {
  int in = -1;
  int out = -1;
  int err = -1;
};

// One process that does a part of a runtime's work, in a session of its own. Killed with its
// session when this is destroyed before it ended.
class Run {
 public:
  // log: what it writes for people, if anything; may be empty.
  static absl::StatusOr<Run> Of(pid_t child, base::UniqueFd log);
  Run(Run&& other) noexcept;
  ~Run();
  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  // Its exit code; 128 + signal. DEADLINE_EXCEEDED: it was killed.
  absl::StatusOr<int> Wait(base::Deadline deadline);
  void Kill();
  // From now on somebody else's child to wait for.
  pid_t Release();
  // What it had to say, for people: one line of at most 2 KiB.
  std::string Complaint() const;

 private:
  Run(pid_t pid, base::UniqueFd pidfd, base::UniqueFd log);
  pid_t pid_ = -1;
  base::UniqueFd pidfd_;
  base::UniqueFd log_;
};

// Executes a program with a constant environment, a session of its own and no other fd.
absl::StatusOr<pid_t> SpawnProgram(const std::vector<std::string>& arguments,
                                   const Streams& streams);

// Text for people: one line without control characters, at most 2 KiB.
std::string OneLine(absl::string_view text);

// A path under which children can open this process's fd: none has to be inherited.
std::string PathForChildren(int fd);

}  // namespace bulkhead::container
