#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// The two formats of Kubernetes inside the streams.
namespace bulkhead::streaming {

// metav1.Status as clients of v4 and later read it from the error stream: success, the exit code of
// a command, or why there is none.
std::string SuccessStatus();
std::string ExitStatus(int exit_code);
std::string FailureStatus(const absl::Status& why);

struct TerminalSize {
  uint16_t columns = 0;
  uint16_t rows = 0;
};

// The resize stream: one JSON object after another.
class SizeReader {
 public:
  // The last whole size in bytes, which continue where the last call's ended. Columns 0: none. What
  // is no size is skipped.
  TerminalSize Read(absl::string_view bytes);

 private:
  std::string text_;
};

}  // namespace bulkhead::streaming
