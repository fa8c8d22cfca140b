#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "streaming/broker_link.h"
#include "streaming/link.h"
#include "streaming/pump.h"
#include "streaming/spdy/headers.h"

namespace bulkhead::streaming {

// The connections of one port-forward: each is a data stream and an error stream on one side, and a
// socket of the pod's on the other.
class PortForward {
 public:
  PortForward(asio::io_context& io, BrokerLink& broker);

  // A pair that is complete. Each is closed when it is over.
  void Forward(uint16_t port, StreamPtr data, StreamPtr error, std::function<void()> on_end);
  // A SPDY stream: one half of a pair, told by its headers. False: the headers make no sense.
  bool AddStream(StreamPtr stream, const spdy::Headers& headers);

 private:
  struct Pair;
  struct Waiting {
    uint16_t port;
    std::shared_ptr<Pair> pair;
  };
  struct Half {
    uint16_t port = 0;
    StreamPtr data, error;
    std::unique_ptr<asio::steady_timer> timer;
  };

  void AskNext();
  void TakeAnswer();
  static void Begin(asio::io_context& io, const std::shared_ptr<Pair>& pair, base::UniqueFd socket);
  static void Fail(const Pair& pair, uint16_t port, const absl::Status& why);

  asio::io_context& io_;
  BrokerLink& broker_;
  asio::posix::stream_descriptor answers_;  // the broker's socket
  std::deque<Waiting> waiting_;             // for the broker; the first one has been asked for
  bool asked_ = false;
  std::map<std::string, Half> halves_;  // by request id
};

}  // namespace bulkhead::streaming
