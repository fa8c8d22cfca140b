#include "worker/inflate/inflate.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>
#include <vector>

#include "base/status.h"
#include "worker/inflate/decoder.h"
#include "worker/parse/sha256.h"
#include "worker/inflate/sink.h"

namespace bulkhead::worker {
namespace {

constexpr uint64_t kRatioFreeBytes = 1 << 20;

uint64_t OutputLimit(uint64_t compressed, const InflateLimits& limits) {
  if (limits.max_ratio == 0) return limits.max_bytes;
  uint64_t by_ratio = compressed > std::numeric_limits<uint64_t>::max() / limits.max_ratio
                          ? std::numeric_limits<uint64_t>::max()
                          : compressed * limits.max_ratio;
  return std::min(limits.max_bytes, std::max(by_ratio, kRatioFreeBytes));
}

// The blob's range in pieces of up to a buffer, each whole but the last.
class BlobReader {
 public:
  BlobReader(int fd, BlobRange range) : fd_(fd), at_(range.offset), left_(range.size) {}

  // Empty at the end. DATA_LOSS: the file ends before the range does.
  absl::StatusOr<absl::string_view> Next() {
    size_t want = std::min<uint64_t>(left_, buffer_.size());
    size_t have = 0;
    while (have < want) {
      ssize_t n = pread(fd_, buffer_.data() + have, want - have, static_cast<off_t>(at_ + have));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return base::ErrnoStatus("inflate layer: read");
      if (n == 0) return absl::DataLossError("inflate layer: the blob is shorter than announced");
      have += n;
    }
    at_ += have;
    left_ -= have;
    return absl::string_view(buffer_.data(), have);
  }

 private:
  int fd_;
  uint64_t at_;
  uint64_t left_;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
};

absl::Status CheckRange(BlobRange range) {
  constexpr uint64_t kMax = std::numeric_limits<off_t>::max();
  if (range.size == 0) return absl::DataLossError("inflate layer: the blob is empty");
  if (range.offset > kMax || range.size > kMax - range.offset) {
    return absl::InvalidArgumentError("inflate layer: the range is beyond any file");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Inflated> Inflate(int blob, BlobRange range, int out, const InflateLimits& limits) {
  BULKHEAD_RETURN_IF_ERROR(CheckRange(range));
  BlobReader reader(blob, range);
  Sink sink(out, OutputLimit(range.size, limits));
  Sha256 hash;
  std::unique_ptr<Decoder> decoder;
  while (true) {
    BULKHEAD_ASSIGN_OR_RETURN(absl::string_view piece, reader.Next());
    if (piece.empty()) break;
    hash.Update(piece);
    if (!decoder) {
      BULKHEAD_ASSIGN_OR_RETURN(decoder, NewDecoderFor(piece));
    }
    BULKHEAD_RETURN_IF_ERROR(decoder->Decode(piece, sink));
  }
  BULKHEAD_RETURN_IF_ERROR(decoder->Finish());
  return Inflated{hash.Finish(), sink.FinishDigest(), sink.bytes()};
}

}  // namespace bulkhead::worker
