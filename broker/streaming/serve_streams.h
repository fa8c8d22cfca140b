#pragma once

#include "base/unique_fd.h"
#include "broker/broker.h"

namespace bulkhead::broker {

// Serves the connections that a streaming daemon hands over ('C' and a socket), until it is gone.
void ServeStreams(Fiber& fiber, Broker& broker, base::UniqueFd daemon);

}  // namespace bulkhead::broker
