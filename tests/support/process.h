#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace bulkhead::test {

// A program that a test started. Killed and reaped when this goes out of scope.
class Process {
 public:
  // argv[0] is a path. Standard output and error go to these descriptors.
  static absl::StatusOr<Process> Start(const std::vector<std::string>& argv, int out, int err);
  Process(Process&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }
  Process& operator=(Process&& other) noexcept;
  Process() = default;
  ~Process();

  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0; }
  void Signal(int number) const;
  // The exit code, or 128 + signal. DEADLINE_EXCEEDED: it runs still.
  absl::StatusOr<int> Wait(absl::Duration patience);

 private:
  pid_t pid_ = -1;
};

struct Output {
  int code = -1;
  std::string out;
  std::string err;
};

// Runs a program to its end; a code of -1 where it could not be started or did not end in time.
Output RunProgram(const std::vector<std::string>& argv,
                  absl::Duration patience = absl::Seconds(60));

// Whether condition gets true before patience is over; looked at every 20 ms.
template <typename Condition>
bool Eventually(absl::Duration patience, Condition condition);

}  // namespace bulkhead::test

#include "absl/time/clock.h"

namespace bulkhead::test {

template <typename Condition>
bool Eventually(absl::Duration patience, Condition condition) {
  absl::Time end = absl::Now() + patience;
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return true;
}

}  // namespace bulkhead::test
