// What a client sends after the upgrade of a WebSocket: Beast's frames, our carrier and the
// channels. The first byte of the input chooses the protocol.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/beast/http.hpp>
#include <cstdint>

#include "streaming/channel_link.h"
#include "streaming/ws_carrier.h"

namespace {

namespace http = boost::beast::http;
using namespace bulkhead::streaming;

http::request<http::empty_body> Upgrade() {
  http::request<http::empty_body> request(http::verb::get, "/", 11);
  request.set(http::field::host, "node");
  request.set(http::field::connection, "upgrade");
  request.set(http::field::upgrade, "websocket");
  request.set(http::field::sec_websocket_version, "13");
  request.set(http::field::sec_websocket_key, "dGhlIHNhbXBsZSBub25jZQ==");
  return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > 60000) return 0;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return 0;
  if (write(ends[1], data + 1, size - 1) != static_cast<ssize_t>(size - 1)) __builtin_trap();
  shutdown(ends[1], SHUT_WR);
  {
    asio::io_context io(1);
    Wire wire(tcp::socket(io, tcp::v4(), ends[0]), nullptr);
    WebSocket socket(wire);
    LimitWebSocket(socket);
    const auto request = Upgrade();
    std::unique_ptr<WsCarrier> carrier;
    std::unique_ptr<ChannelLink> link;
    socket.async_accept(request, [&](boost::system::error_code refused) {
      if (refused) return;
      carrier = std::make_unique<WsCarrier>(socket);
      link = std::make_unique<ChannelLink>(
          *carrier,
          ChannelLink::Options{
              .channels = 5, .base64 = (data[0] & 1) != 0, .can_close = (data[0] & 2) != 0},
          [&io] { io.stop(); });
      for (size_t i = 0; i < 5; ++i) {
        const StreamPtr channel = link->channel(i);
        channel->Take(
            [stream = channel.get()](absl::string_view bytes) {
              stream->Write(bytes.substr(0, stream->Room()));
              stream->Consumed(bytes.size());
            },
            [] {});
      }
      link->Greet(1);
    });
    io.run_for(std::chrono::seconds(1));
  }
  close(ends[1]);
  return 0;
}
