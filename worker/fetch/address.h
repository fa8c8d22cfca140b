#pragma once

#include <sys/socket.h>

namespace bulkhead::worker {

// Whether an address is this node itself (loopback, unspecified) or link-local, where clouds keep
// their metadata services; also as an IPv4 address in an IPv6 one.
bool IsOwnOrLinkLocal(const sockaddr& address);

}  // namespace bulkhead::worker
