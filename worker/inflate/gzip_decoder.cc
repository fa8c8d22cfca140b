#include <isa-l/igzip_lib.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/inflate/decoder.h"

namespace bulkhead::worker {
namespace {

absl::string_view Describe(int result) {
  switch (result) {
    case ISAL_INVALID_WRAPPER:
    case ISAL_UNSUPPORTED_METHOD:
      return "no gzip header";
    case ISAL_INCORRECT_CHECKSUM:
      return "wrong checksum";
    default:
      return "damaged";
  }
}

// gzip, also as several members one after the other, as parallel compressors write it. With ISA-L,
// which takes less than half of zlib's time.
class GzipDecoder : public Decoder {
 public:
  GzipDecoder() { NextMember(); }

  absl::Status Decode(absl::string_view in, Sink& sink) override {
    state_->next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(in.data()));
    state_->avail_in = static_cast<uint32_t>(in.size());
    bool full = false;  // there may be more output than the buffer took
    while (state_->avail_in > 0 || full) {
      if (ended_) {
        NextMember();
        later_member_ = true;
      }
      if (absl::Status status = Step(sink, &full); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Finish() override {
    if (ended_) return absl::OkStatus();
    return absl::DataLossError("inflate layer: gzip stream is cut short");
  }

 private:
  void NextMember() {
    uint8_t* next = state_->next_in;
    const uint32_t available = state_->avail_in;
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;  // header and trailer are there, and checked
    state_->next_in = next;
    state_->avail_in = available;
    ended_ = false;
  }

  absl::Status Step(Sink& sink, bool* full) {
    state_->next_out = buffer_.data();
    state_->avail_out = static_cast<uint32_t>(buffer_.size());
    const int result = isal_inflate(state_.get());
    const size_t made = buffer_.size() - state_->avail_out;
    if (result < 0) {
      return absl::DataLossError(absl::StrCat(
          "inflate layer: gzip", later_member_ ? " (trailing data or later member)" : "", ": ",
          Describe(result)));
    }
    ended_ = state_->block_state == ISAL_BLOCK_FINISH;
    *full = !ended_ && state_->avail_out == 0;
    return sink.Write(absl::string_view(reinterpret_cast<const char*>(buffer_.data()), made));
  }

  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(kBufferBytes);
  bool ended_ = false;
  bool later_member_ = false;
};

}  // namespace

std::unique_ptr<Decoder> NewGzipDecoder() { return std::make_unique<GzipDecoder>(); }

}  // namespace bulkhead::worker
