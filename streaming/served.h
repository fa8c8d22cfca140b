#pragma once

#include <functional>
#include <memory>
#include <string>

#include "streaming/broker_link.h"
#include "streaming/carrier.h"
#include "streaming/wire.h"

namespace bulkhead::streaming {

// What a redeemed token has become: an exec, an attach or a port-forward on one link. Lives until
// on_end.
class Served {
 public:
  virtual ~Served() = default;
};

// On SPDY; protocol as it was chosen. on_end: the client is gone, or has had all.
std::unique_ptr<Served> ServeSpdy(asio::io_context& io, BrokerLink& broker, const Grant& grant,
                                  const std::string& protocol, Carrier& carrier,
                                  std::function<void()> on_end);
// On the channels of a WebSocket.
std::unique_ptr<Served> ServeChannels(asio::io_context& io, BrokerLink& broker, const Grant& grant,
                                      const std::string& protocol, Carrier& carrier,
                                      std::function<void()> on_end);

}  // namespace bulkhead::streaming
