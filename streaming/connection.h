#pragma once

#include "base/unique_fd.h"

namespace boost::asio::ssl {
class context;
}

namespace bulkhead::streaming {

// Serves one client from its request to its end; in a process of its own. broker: this connection's
// socket to the broker. tls: none where nullptr.
void ServeConnection(base::UniqueFd client, base::UniqueFd broker, boost::asio::ssl::context* tls);

}  // namespace bulkhead::streaming
