#include "worker/inflate/inflate.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "base/status.h"
#include "worker/inflate/blob_reader.h"
#include "worker/inflate/decoder.h"
#include "worker/inflate/sink.h"
#include "worker/parse/sha256.h"

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

absl::Status CheckRange(BlobRange range) {
  constexpr uint64_t kMax = std::numeric_limits<off_t>::max();
  if (range.size == 0) return absl::DataLossError("inflate layer: the blob is empty");
  if (range.offset > kMax || range.size > kMax - range.offset) {
    return absl::InvalidArgumentError("inflate layer: the range is beyond any file");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Inflated> Inflate(int blob, BlobRange range, int out, const InflateLimits& limits,
                                 Growing growing) {
  BULKHEAD_RETURN_IF_ERROR(CheckRange(range));
  BlobReader reader(blob, range, growing);
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
  return Inflated{hash.Finish(), sink.bytes()};
}

}  // namespace bulkhead::worker
