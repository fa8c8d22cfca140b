#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bulkhead::worker {

// Where uncompressed bytes go: counted against a limit, written to the pipe.
class Sink {
 public:
  // fd stays the caller's. limit: the most bytes that may pass.
  Sink(int fd, uint64_t limit) : fd_(fd), limit_(limit) {}
  // RESOURCE_EXHAUSTED: over the limit (nothing of these bytes is written). ABORTED: the reader is
  // gone.
  absl::Status Write(absl::string_view bytes);
  uint64_t bytes() const { return bytes_; }

 private:
  int fd_;
  uint64_t limit_;
  uint64_t bytes_ = 0;
};

}  // namespace bulkhead::worker
