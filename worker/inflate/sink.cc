#include "worker/inflate/sink.h"

#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::worker {

absl::Status Sink::Write(absl::string_view bytes) {
  if (bytes.size() > limit_ - bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("inflate layer: more than ", limit_, " bytes uncompressed"));
  }
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    ssize_t n = write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EPIPE) {
      return absl::AbortedError("inflate layer: the reader of the layer ended early");
    }
    if (n < 0) return base::ErrnoStatus("inflate layer: write");
    bytes.remove_prefix(n);
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::worker
