#include "streaming/tcp_carrier.h"

#include "streaming/health.h"

namespace bulkhead::streaming {
namespace {

using boost::system::error_code;

// How many queued pieces one write takes, and how long a client may take to say good-bye.
constexpr size_t kMaxPieces = 16;
constexpr std::chrono::seconds kFarewell{3};

}  // namespace

void TcpCarrier::Start(Events events) {
  events_ = std::move(events);
  if (!early_.empty()) return GiveEarly();
  Read();
}

// Not from within Start, whose caller is not ready.
void TcpCarrier::GiveEarly() {
  read_pending_ = true;
  asio::post(wire_.get_executor(), [this] {
    read_pending_ = false;
    std::string bytes;
    bytes.swap(early_);
    if (gone_) return;
    if (!finishing_) events_.on_bytes(bytes, true, true, false);
    Read();
  });
}

void TcpCarrier::Read() {
  if (!reading_ || read_pending_ || gone_) return;
  read_pending_ = true;
  wire_.async_read_some(asio::buffer(buffer_), [this](error_code error, size_t size) {
    read_pending_ = false;
    if (gone_) return;
    if (error) return Gone();
    if (!finishing_) events_.on_bytes({buffer_.data(), size}, true, true, false);
    Read();
  });
}

void TcpCarrier::SetReading(bool reading) {
  reading_ = reading || finishing_;
  Read();
}

void TcpCarrier::Send(std::string bytes, bool) {
  if (gone_ || bytes.empty()) return;
  queued_ += bytes.size();
  queue_.push_back(std::move(bytes));
  if (!writing_) Write();
}

void TcpCarrier::Write() {
  writing_ = true;
  std::vector<asio::const_buffer> pieces;
  for (size_t i = 0; i < std::min(queue_.size(), kMaxPieces); ++i) {
    pieces.push_back(asio::buffer(queue_[i]));
  }
  asio::async_write(wire_, pieces, [this, count = pieces.size()](error_code error, size_t size) {
    writing_ = false;
    if (gone_) return;
    if (error) return Gone();
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count));
    queued_ -= size;
    if (!queue_.empty()) Write();
    if (finishing_ && queue_.empty()) return Finish();
    events_.on_sent();
  });
}

// What the client sends meanwhile is read and dropped: closing with it unread would take back what
// it has not seen yet.
void TcpCarrier::Finish() {
  if (gone_) return;
  if (!std::exchange(finishing_, true)) AwaitFarewell();
  if (writing_) return;
  wire_.Shutdown();
  SetReading(true);
}

// As long as the client takes what was sent, however slowly, it is waited for: health.cc knows when
// it is gone.
void TcpCarrier::AwaitFarewell() {
  timer_.expires_after(kFarewell);
  timer_.async_wait([this](error_code error) {
    if (error || gone_) return;
    if (queued_ > 0 || HasUnacknowledged(wire_)) return AwaitFarewell();
    Gone();
  });
}

void TcpCarrier::Gone() {
  gone_ = true;
  timer_.cancel();
  events_.on_gone();
}

}  // namespace bulkhead::streaming
