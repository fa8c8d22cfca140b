#include <zstd.h>
#include <zstd_errors.h>

#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/inflate/decoder.h"

namespace bulkhead::worker {
namespace {

// zstd, also as several frames one after the other.
class ZstdDecoder : public Decoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx()) {
    if (!context_ ||
        ZSTD_isError(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kZstdWindowLog))) {
      abort();
    }
  }
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

  absl::Status Decode(absl::string_view in, Sink& sink) override {
    ZSTD_inBuffer input = {in.data(), in.size(), 0};
    bool full = false;  // the frame may hold more output than the buffer took
    while (input.pos < input.size || full) {
      ZSTD_outBuffer output = {buffer_.data(), buffer_.size(), 0};
      size_t result = ZSTD_decompressStream(context_, &output, &input);
      if (ZSTD_isError(result)) return Failed(result);
      BULKHEAD_RETURN_IF_ERROR(sink.Write(absl::string_view(buffer_.data(), output.pos)));
      in_frame_ = result != 0;
      full = in_frame_ && output.pos == output.size;
      if (!in_frame_) later_frame_ = true;
    }
    return absl::OkStatus();
  }

  absl::Status Finish() override {
    if (!in_frame_) return absl::OkStatus();
    return absl::DataLossError("inflate layer: zstd frame is cut short");
  }

 private:
  absl::Status Failed(size_t result) const {
    if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge) {
      return absl::ResourceExhaustedError(
          absl::StrCat("inflate layer: zstd window is over 2^", kZstdWindowLog, " bytes"));
    }
    return absl::DataLossError(absl::StrCat("inflate layer: zstd",
                                            later_frame_ ? " (trailing data or later frame)" : "",
                                            ": ", ZSTD_getErrorName(result)));
  }

  ZSTD_DCtx* context_;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
  bool in_frame_ = false;
  bool later_frame_ = false;
};

}  // namespace

std::unique_ptr<Decoder> NewZstdDecoder() { return std::make_unique<ZstdDecoder>(); }

}  // namespace bulkhead::worker
