#pragma once

#include <sys/socket.h>

#include <string>

#include "absl/status/status.h"

namespace bulkhead::worker {

// Whether an address is this node itself (loopback, unspecified) or link-local, where clouds keep
// their metadata services; also as an IPv4 address in an IPv6 one.
bool IsOwnOrLinkLocal(const sockaddr& address);
// Whether it is of a range for private networks (RFC 1918, RFC 6598, RFC 4193).
bool IsPrivate(const sockaddr& address);

// Whether a registry may send there. PERMISSION_DENIED says why not.
absl::Status CheckForeign(const sockaddr& address, bool may_be_private);
// The same for a URL's host that a proxy will look up: only an address, or a name of this node, can
// be judged here.
absl::Status CheckForeignName(const std::string& host, bool may_be_private);

}  // namespace bulkhead::worker
