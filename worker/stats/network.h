#pragma once

#include "schema/worker/stats.capnp.h"

namespace bulkhead::stats {

// Asks a route-netlink socket for the interfaces of its network namespace and their counters
// (rtnetlink(7)). What cannot be read, or is no such socket, has none. socket: the caller's; no
// answer waits in it.
void ReadNetwork(int socket, schema::NetworkUsage::Builder usage);

}  // namespace bulkhead::stats
