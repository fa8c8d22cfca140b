#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/inflate/sink.h"

namespace bulkhead::worker {

inline constexpr size_t kBufferBytes = 256 << 10;

// Takes compressed bytes as they come and gives the sink what they mean.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // DATA_LOSS: damaged. RESOURCE_EXHAUSTED: asks for more memory than the format's usual. Sink's
  // errors pass through.
  virtual absl::Status Decode(absl::string_view in, Sink& sink) = 0;
  // The input has ended. DATA_LOSS: too early.
  virtual absl::Status Finish() = 0;
};

// The largest zstd window: what `zstd --ultra --long` needs by default, 128 MiB.
inline constexpr int kZstdWindowLog = 27;

std::unique_ptr<Decoder> NewGzipDecoder();
std::unique_ptr<Decoder> NewZstdDecoder();
std::unique_ptr<Decoder> NewPlainDecoder();

// Chosen by the first bytes (up to 512). INVALID_ARGUMENT: a compression that image layers do not
// use, or no tar.
absl::StatusOr<std::unique_ptr<Decoder>> NewDecoderFor(absl::string_view first);

}  // namespace bulkhead::worker
