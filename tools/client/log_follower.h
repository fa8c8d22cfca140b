#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace bulkhead::tools {

enum class LogStream { kStdout, kStderr };

// Reads a container's log, in the format that CRI prescribes, as it grows.
// A line: "<RFC 3339 time> <stdout|stderr> <F|P> <text>\n"; P is a piece whose line goes on.
class LogFollower {
 public:
  using Sink = std::function<void(LogStream stream, absl::string_view bytes)>;
  LogFollower(std::string path, Sink sink) : path_(std::move(path)), sink_(std::move(sink)) {}

  // Gives the sink all whole lines that are there by now. A file that does not exist yet is empty.
  // DATA_LOSS: a line of another format.
  absl::Status Drain();

 private:
  absl::Status TakeLines();
  absl::Status TakeLine(absl::string_view line);

  std::string path_;
  Sink sink_;
  base::UniqueFd file_;
  std::string pending_;
};

}  // namespace bulkhead::tools
