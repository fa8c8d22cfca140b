#include "worker/inflate/blob_reader.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/status.h"
#include "worker/inflate/decoder.h"

namespace bulkhead::worker {
namespace {

// A piece of a growing blob need not be longer.
constexpr size_t kEnoughBytes = 64 << 10;
// Nobody tells when a file grows.
constexpr int kLookAgainMs = 5;

}  // namespace

BlobReader::BlobReader(int fd, BlobRange range, Growing growing)
    : fd_(fd),
      at_(range.offset),
      left_(range.size),
      complete_(growing.complete),
      buffer_(kBufferBytes) {}

absl::StatusOr<bool> BlobReader::WaitForMore() {
  if (complete_ < 0) return false;
  pollfd end = {.fd = complete_, .events = POLLIN};
  const int n = poll(&end, 1, kLookAgainMs);
  if (n < 0 && errno != EINTR) return base::ErrnoStatus("inflate layer: wait");
  if (n > 0) complete_ = -1;  // what was written before that is looked for once more
  return true;
}

absl::StatusOr<absl::string_view> BlobReader::Next() {
  const size_t want = std::min<uint64_t>(left_, buffer_.size());
  const size_t enough = complete_ < 0 ? want : std::min(want, kEnoughBytes);
  size_t have = 0;
  while (have < enough) {
    ssize_t n = pread(fd_, buffer_.data() + have, want - have, static_cast<off_t>(at_ + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::ErrnoStatus("inflate layer: read");
    have += n;
    if (n > 0) continue;
    BULKHEAD_ASSIGN_OR_RETURN(bool more, WaitForMore());
    if (!more) return absl::DataLossError("inflate layer: the blob is shorter than announced");
  }
  at_ += have;
  left_ -= have;
  return absl::string_view(buffer_.data(), have);
}

}  // namespace bulkhead::worker
