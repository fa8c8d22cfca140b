#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "base/deadline.h"
#include "base/unique_fd.h"

namespace bulkhead::tools {

// A listening stream socket at path with this mode, root's. A stale one is removed first: the
// caller holds the lock of the directory, so nobody serves it. FAILED_PRECONDITION: something else
// than a socket lies there.
absl::StatusOr<base::UniqueFd> ListenAt(const std::string& path, mode_t mode);

// The listening socket for path that the service manager made before it started this process, empty
// where there is none. Its variables are taken out of the environment. FAILED_PRECONDITION: it
// handed over something else. (sd_listen_fds(3))
absl::StatusOr<base::UniqueFd> TakeHandedSocket(const std::string& path);

// Without waiting: a full queue of the listener is an error.
absl::StatusOr<base::UniqueFd> ConnectTo(const std::string& path);

// One message of one byte and one fd (SOCK_SEQPACKET). UNAVAILABLE: the peer is gone.
absl::Status SendFd(int socket, char tag, int fd);

// Tells a service manager that named a socket in $NOTIFY_SOCKET, and does nothing without. state:
// "READY=1".
void NotifyManager(const char* state);

}  // namespace bulkhead::tools
