#include "streaming/ws_carrier.h"

#include "streaming/health.h"

namespace bulkhead::streaming {
namespace {

namespace websocket = boost::beast::websocket;
using boost::system::error_code;

// A message is passed on in pieces, so its size costs nothing; but no client of ours sends such a
// one.
constexpr size_t kMaxMessage = 16 << 20;
constexpr std::chrono::seconds kFarewell{3};
constexpr std::chrono::seconds kHandshake{10};

}  // namespace

void LimitWebSocket(WebSocket& socket) {
  websocket::stream_base::timeout timeout = {};
  timeout.handshake_timeout = kHandshake;
  timeout.idle_timeout = websocket::stream_base::none();  // ours is in health.cc
  socket.set_option(timeout);
  socket.read_message_max(kMaxMessage);
  socket.auto_fragment(false);
}

void WsCarrier::Start(Events events) {
  events_ = std::move(events);
  asio::post(socket_.get_executor(), [this] { Read(); });
}

void WsCarrier::Read() {
  if (!reading_ || read_pending_ || gone_) return;
  read_pending_ = true;
  socket_.async_read_some(asio::buffer(buffer_), [this](error_code error, size_t size) {
    read_pending_ = false;
    if (gone_) return;
    if (error) return Gone();
    const bool done = socket_.is_message_done();
    const bool first = first_;
    if (size > 0 || done) first_ = done;
    if (!finishing_) events_.on_bytes({buffer_.data(), size}, first, done, socket_.got_text());
    Read();
  });
}

void WsCarrier::SetReading(bool reading) {
  reading_ = reading || finishing_;
  Read();
}

void WsCarrier::Send(std::string bytes, bool text) {
  if (gone_ || finishing_) return;
  queued_ += bytes.size();
  queue_.push_back({std::move(bytes), text});
  if (!writing_) Write();
}

void WsCarrier::Write() {
  writing_ = true;
  socket_.text(queue_.front().text);
  socket_.async_write(asio::buffer(queue_.front().bytes), [this](error_code error, size_t) {
    writing_ = false;
    if (gone_) return;
    if (error) return Gone();
    queued_ -= queue_.front().bytes.size();
    queue_.pop_front();
    if (!queue_.empty()) {
      Write();
    } else if (finishing_) {
      return Close();
    }
    events_.on_sent();
  });
}

void WsCarrier::Finish() {
  if (gone_ || finishing_) return;
  finishing_ = true;
  AwaitFarewell();
  if (!writing_) Close();
}

void WsCarrier::AwaitFarewell() {
  timer_.expires_after(kFarewell);
  timer_.async_wait([this](error_code error) {
    if (error || gone_) return;
    if (queued_ > 0 || HasUnacknowledged(socket_.next_layer())) return AwaitFarewell();
    Gone();
  });
}

// async_close reads and drops until the client's answer; a read of ours that is under way sees that
// answer too.
void WsCarrier::Close() {
  socket_.async_close(websocket::close_code::normal, [this](error_code) {
    if (!gone_) Gone();
  });
}

void WsCarrier::Gone() {
  gone_ = true;
  timer_.cancel();
  events_.on_gone();
}

}  // namespace bulkhead::streaming
