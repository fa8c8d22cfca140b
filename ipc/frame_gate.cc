#include "ipc/frame_gate.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "ipc/segment_table.h"

namespace bulkhead::ipc {
namespace {

constexpr size_t kChunk = 16 << 10;

// A pass-through but for reads, which are buffered between the inner stream and the gate.
class Gated final : public kj::AsyncIoStream {
 public:
  Gated(kj::Own<kj::AsyncIoStream> inner, size_t max_bytes,
        kj::Function<void(absl::Status)> on_violation)
      : inner_(kj::mv(inner)), gate_(max_bytes), on_violation_(kj::mv(on_violation)) {}

  kj::Promise<size_t> tryRead(void* buffer, size_t min_bytes, size_t max_bytes) override {
    return ReadSome(static_cast<uint8_t*>(buffer), min_bytes, max_bytes, 0);
  }

  kj::Promise<void> write(const void* buffer, size_t size) override {
    return inner_->write(buffer, size);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return inner_->write(pieces);
  }
  kj::Promise<void> whenWriteDisconnected() override { return inner_->whenWriteDisconnected(); }
  void shutdownWrite() override { inner_->shutdownWrite(); }
  void abortRead() override { inner_->abortRead(); }
  void getsockopt(int level, int option, void* value, kj::uint* length) override {
    inner_->getsockopt(level, option, value, length);
  }
  void setsockopt(int level, int option, const void* value, kj::uint length) override {
    inner_->setsockopt(level, option, value, length);
  }
  void getsockname(struct sockaddr* address, kj::uint* length) override {
    inner_->getsockname(address, length);
  }
  void getpeername(struct sockaddr* address, kj::uint* length) override {
    inner_->getpeername(address, length);
  }

 private:
  // done bytes of buffer are filled already.
  kj::Promise<size_t> ReadSome(uint8_t* buffer, size_t min_bytes, size_t max_bytes, size_t done) {
    if (ended_) return size_t{0};
    done += TakeReady(buffer + done, max_bytes - done);
    if (done >= min_bytes) return done;
    return inner_->tryRead(chunk_, 1, sizeof(chunk_))
        .then([this, buffer, min_bytes, max_bytes, done](size_t got) -> kj::Promise<size_t> {
          if (got == 0) return done;
          if (!PassGate(got)) return size_t{0};
          return ReadSome(buffer, min_bytes, max_bytes, done);
        });
  }

  size_t TakeReady(uint8_t* out, size_t room) {
    const size_t count = std::min(room, ready_.size() - ready_begin_);
    if (count > 0) memcpy(out, ready_.data() + ready_begin_, count);
    ready_begin_ += count;
    if (ready_begin_ == ready_.size()) {
      ready_.clear();
      ready_begin_ = 0;
    }
    return count;
  }

  bool PassGate(size_t got) {
    const absl::Status status = gate_.Feed({chunk_, got}, &ready_);
    if (status.ok()) return true;
    ended_ = true;
    ready_.clear();
    on_violation_(status);
    return false;
  }

  kj::Own<kj::AsyncIoStream> inner_;
  FrameGate gate_;
  kj::Function<void(absl::Status)> on_violation_;
  uint8_t chunk_[kChunk];
  std::vector<uint8_t> ready_;  // passed the gate, not yet read
  size_t ready_begin_ = 0;
  bool ended_ = false;
};

}  // namespace

absl::Status FrameGate::Feed(absl::Span<const uint8_t> bytes, std::vector<uint8_t>* out) {
  if (failed_) return absl::DataLossError("message: the stream has failed");
  while (!bytes.empty()) {
    if (body_left_ == 0) {
      const absl::Status status = TakeTable(&bytes, out);
      failed_ = !status.ok();
      if (failed_) return status;
      continue;
    }
    const size_t count = static_cast<size_t>(std::min<uint64_t>(body_left_, bytes.size()));
    out->insert(out->end(), bytes.begin(), bytes.begin() + count);
    bytes.remove_prefix(count);
    body_left_ -= count;
  }
  return absl::OkStatus();
}

// Takes bytes until the table is whole, then passes it on.
absl::Status FrameGate::TakeTable(absl::Span<const uint8_t>* bytes, std::vector<uint8_t>* out) {
  size_t wanted = kTablePrefixBytes;
  if (table_.size() >= kTablePrefixBytes) {
    BULKHEAD_ASSIGN_OR_RETURN(wanted, SegmentTableBytes(table_));
  }
  const size_t count = std::min(wanted - table_.size(), bytes->size());
  table_.insert(table_.end(), bytes->begin(), bytes->begin() + count);
  bytes->remove_prefix(count);
  if (table_.size() < kTablePrefixBytes) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(wanted, SegmentTableBytes(table_));
  if (table_.size() < wanted) return absl::OkStatus();
  body_left_ = SegmentBodyBytes(table_);
  if (body_left_ == 0) return absl::DataLossError("message: no root");
  if (wanted + body_left_ > max_bytes_) return absl::DataLossError("message: too long");
  out->insert(out->end(), table_.begin(), table_.end());
  table_.clear();
  return absl::OkStatus();
}

kj::Own<kj::AsyncIoStream> GatedStream(kj::Own<kj::AsyncIoStream> inner, size_t max_bytes,
                                       kj::Function<void(absl::Status)> on_violation) {
  return kj::heap<Gated>(kj::mv(inner), max_bytes, kj::mv(on_violation));
}

}  // namespace bulkhead::ipc
