#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/deadline.h"

namespace bulkhead::network {

inline constexpr size_t kMaxOutputBytes = 256 << 10;
inline constexpr size_t kMaxErrorBytes = 4 << 10;

struct Program {
  int fd = -1;                           // the file, O_PATH; a script with #! too
  std::string path;                      // its argv[0] and only argument
  std::vector<std::string> environment;  // all of it
  absl::string_view input;
};

struct Ended {
  int exit_code = 0;
  std::string output;
  std::string error;  // the first kMaxErrorBytes of standard error
};

// Runs the program to its end, in "/" and in a process group of its own, and with it ends every
// process that it left behind. One at a time: all children of this process count as the program's.
// DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED: more output than kMaxOutputBytes; ABORTED: a signal ended
// it.
absl::StatusOr<Ended> RunProgram(const Program& program, base::Deadline deadline);

}  // namespace bulkhead::network
