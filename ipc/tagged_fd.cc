#include "ipc/tagged_fd.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/status.h"
#include "ipc/send_fd.h"

namespace bulkhead::ipc {

absl::Status SendTaggedFd(int socket, char tag, int fd) {
  if (SendWithFd(socket, &tag, 1, fd, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) return absl::OkStatus();
  return absl::UnavailableError(base::ErrnoStatus("hand over a descriptor").message());
}

absl::StatusOr<TaggedFd> ReceiveTaggedFd(int socket) {
  TaggedFd received;
  iovec part = {&received.tag, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof(space);
  const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return absl::NotFoundError("none waits");
  if (got <= 0) return absl::UnavailableError("the peer is gone");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr) return received;
  if (header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int))) {
    return absl::DataLossError("something else than a descriptor came");
  }
  int fd = -1;
  memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  received.fd.Reset(fd);
  return received;
}

}  // namespace bulkhead::ipc
