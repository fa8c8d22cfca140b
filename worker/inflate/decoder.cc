#include "worker/inflate/decoder.h"

#include <algorithm>

namespace bulkhead::worker {
namespace {

constexpr size_t kTarBlock = 512;
constexpr size_t kTarMagicOffset = 257;

class PlainDecoder : public Decoder {
 public:
  absl::Status Decode(absl::string_view in, Sink& sink) override { return sink.Write(in); }
  absl::Status Finish() override { return absl::OkStatus(); }
};

bool BeginsWith(absl::string_view text, absl::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// The magic of zstd, or of its skippable frames, whose first byte's low half is free.
bool IsZstd(absl::string_view first) {
  if (BeginsWith(first, "\x28\xb5\x2f\xfd")) return true;
  return first.size() >= 4 && (first[0] & 0xf0) == 0x50 && first.substr(1, 3) == "\x2a\x4d\x18";
}

// A tar header, or the zero block that an empty tar begins with.
bool IsTar(absl::string_view first) {
  if (first.size() < kTarBlock) return false;
  if (first.substr(kTarMagicOffset, 5) == "ustar") return true;
  return std::all_of(first.begin(), first.begin() + kTarBlock, [](char c) { return c == 0; });
}

}  // namespace

std::unique_ptr<Decoder> NewPlainDecoder() { return std::make_unique<PlainDecoder>(); }

absl::StatusOr<std::unique_ptr<Decoder>> NewDecoderFor(absl::string_view first) {
  if (BeginsWith(first, "\x1f\x8b")) return NewGzipDecoder();
  if (IsZstd(first)) return NewZstdDecoder();
  if (IsTar(first)) return NewPlainDecoder();
  for (absl::string_view other : {"\xfd" "7zXZ", "BZh", "\x04\x22\x4d\x18"}) {
    if (BeginsWith(first, other)) {
      return absl::InvalidArgumentError("inflate layer: compressed with neither gzip nor zstd");
    }
  }
  return absl::InvalidArgumentError("inflate layer: neither gzip, nor zstd, nor a tar");
}

}  // namespace bulkhead::worker
