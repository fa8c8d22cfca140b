#pragma once

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

// One byte that says what it is, and mostly one descriptor: how long-lived processes hand
// connections to each other over a SOCK_SEQPACKET socket.
namespace bulkhead::ipc {

// Never waits. fd stays the caller's. UNAVAILABLE: the peer is gone, or reads too slowly.
absl::Status SendTaggedFd(int socket, char tag, int fd);

struct TaggedFd {
  char tag = 0;
  base::UniqueFd fd;  // empty: the byte came alone
};
// One that waits. UNAVAILABLE: the peer is gone. NOT_FOUND: none waits. DATA_LOSS: something else
// than a descriptor came with it.
absl::StatusOr<TaggedFd> ReceiveTaggedFd(int socket);

}  // namespace bulkhead::ipc
