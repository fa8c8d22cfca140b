#include <zlib.h>

#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/inflate/decoder.h"

namespace bulkhead::worker {
namespace {

constexpr int kGzipOnly = 15 + 16;  // zlib: the largest window, gzip header required

// gzip, also as several members one after the other, as parallel compressors write it.
class GzipDecoder : public Decoder {
 public:
  GzipDecoder() {
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) abort();
  }
  ~GzipDecoder() override { inflateEnd(&stream_); }

  absl::Status Decode(absl::string_view in, Sink& sink) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = in.size();
    bool full = false;  // zlib may hold more output than the buffer took
    while (stream_.avail_in > 0 || full) {
      if (ended_) NextMember();
      BULKHEAD_RETURN_IF_ERROR(Step(sink, &full));
    }
    return absl::OkStatus();
  }

  absl::Status Finish() override {
    if (ended_) return absl::OkStatus();
    return absl::DataLossError("inflate layer: gzip stream is cut short");
  }

 private:
  void NextMember() {
    inflateReset(&stream_);
    ended_ = false;
    later_member_ = true;
  }

  absl::Status Step(Sink& sink, bool* full) {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_out = buffer_.size();
    int result = inflate(&stream_, Z_NO_FLUSH);
    size_t made = buffer_.size() - stream_.avail_out;
    BULKHEAD_RETURN_IF_ERROR(sink.Write(absl::string_view(buffer_.data(), made)));
    ended_ = result == Z_STREAM_END;
    *full = result == Z_OK && stream_.avail_out == 0;
    // Z_BUF_ERROR alone says only that there was nothing left to do.
    if (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(
        "inflate layer: gzip", later_member_ ? " (trailing data or later member)" : "", ": ",
        stream_.msg ? stream_.msg : "damaged"));
  }

  z_stream stream_ = {};
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
  bool ended_ = false;
  bool later_member_ = false;
};

}  // namespace

std::unique_ptr<Decoder> NewGzipDecoder() { return std::make_unique<GzipDecoder>(); }

}  // namespace bulkhead::worker
