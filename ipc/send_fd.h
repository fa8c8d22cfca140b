#pragma once

#include <sys/types.h>

#include <cstddef>

namespace bulkhead::ipc {

// sendmsg(2) of these bytes with one descriptor, which stays the caller's. Sets errno.
ssize_t SendWithFd(int socket, const void* bytes, size_t size, int fd, int flags);

}  // namespace bulkhead::ipc
