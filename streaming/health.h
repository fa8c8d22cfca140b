#pragma once

#include <functional>

#include "streaming/wire.h"

namespace bulkhead::streaming {

// Whether the client has yet to acknowledge some of what was sent, our end of the connection
// included.
bool HasUnacknowledged(Wire& wire);

// Finds out that a client is gone where nothing that is read says so: a machine that vanished, a
// process that ended while nothing is read from it, or hours without a byte.
class Health {
 public:
  Health(Wire& wire, std::function<void()> on_lost);

 private:
  void Look();

  Wire& wire_;
  asio::steady_timer timer_;
  std::function<void()> on_lost_;
};

}  // namespace bulkhead::streaming
