#pragma once

#include <deque>
#include <string>
#include <vector>

#include "streaming/carrier.h"
#include "streaming/wire.h"

namespace bulkhead::streaming {

using WebSocket = boost::beast::websocket::stream<Wire&>;

// The bounds that every WebSocket of ours has, set before it accepts.
void LimitWebSocket(WebSocket& socket);

// The messages of a WebSocket that has been accepted.
class WsCarrier : public Carrier {
 public:
  explicit WsCarrier(WebSocket& socket) : socket_(socket), timer_(socket.get_executor()) {}

  void Start(Events events) override;
  void Send(std::string bytes, bool text) override;
  size_t Queued() const override { return queued_; }
  void SetReading(bool reading) override;
  void Finish() override;

 private:
  struct Message {
    std::string bytes;
    bool text;
  };
  void Read();
  void Write();
  void Close();
  void AwaitFarewell();
  void Gone();

  WebSocket& socket_;
  asio::steady_timer timer_;
  Events events_;
  std::vector<char> buffer_ = std::vector<char>(64 << 10);
  std::deque<Message> queue_;
  size_t queued_ = 0;
  bool first_ = true;  // the next piece begins a message
  bool reading_ = true;
  bool read_pending_ = false;
  bool writing_ = false;
  bool finishing_ = false;
  bool gone_ = false;
};

}  // namespace bulkhead::streaming
