#pragma once

// Asio's headers use std::exchange and do not include what has it.
// clang-format off
#include <utility>
// clang-format on

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <memory>

namespace bulkhead::streaming {

namespace asio = boost::asio;
using asio::ip::tcp;

// The client's connection as Asio and Beast want a stream: TCP, with or without TLS on it.
class Wire {
 public:
  using executor_type = tcp::socket::executor_type;
  using lowest_layer_type = tcp::socket::lowest_layer_type;

  // tls: none where nullptr; outlives this.
  Wire(tcp::socket socket, asio::ssl::context* tls) : socket_(std::move(socket)) {
    if (tls != nullptr) tls_ = std::make_unique<Tls>(socket_, *tls);
  }

  executor_type get_executor() { return socket_.get_executor(); }
  lowest_layer_type& lowest_layer() { return socket_.lowest_layer(); }
  tcp::socket& socket() { return socket_; }
  bool has_tls() const { return tls_ != nullptr; }

  template <typename Handler>
  void AsyncHandshake(Handler handler) {
    tls_->async_handshake(asio::ssl::stream_base::server, std::move(handler));
  }

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (tls_ != nullptr) return tls_->async_read_some(buffers, std::forward<Handler>(handler));
    socket_.async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (tls_ != nullptr) return tls_->async_write_some(buffers, std::forward<Handler>(handler));
    socket_.async_write_some(buffers, std::forward<Handler>(handler));
  }

  // Tells the client that no more comes. TLS's own word for it is left out: who waits for it waits
  // for a peer.
  void Shutdown() {
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

 private:
  using Tls = asio::ssl::stream<tcp::socket&>;
  tcp::socket socket_;
  std::unique_ptr<Tls> tls_;
};

// What Beast asks for at the end of a WebSocket, found by its argument's type.
template <typename Handler>
void async_teardown(boost::beast::role_type, Wire& wire, Handler&& handler) {
  wire.Shutdown();
  asio::post(wire.get_executor(), [handler = std::forward<Handler>(handler)]() mutable {
    handler(boost::system::error_code());
  });
}
inline void beast_close_socket(Wire& wire) {
  boost::system::error_code ignored;
  wire.socket().close(ignored);
}
inline void teardown(boost::beast::role_type, Wire& wire, boost::system::error_code& error) {
  wire.Shutdown();
  error = {};
}

}  // namespace bulkhead::streaming
