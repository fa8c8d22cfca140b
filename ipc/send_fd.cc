#include "ipc/send_fd.h"

#include <sys/socket.h>

#include <cstring>

namespace bulkhead::ipc {

ssize_t SendWithFd(int socket, const void* bytes, size_t size, int fd, int flags) {
  iovec part = {const_cast<void*>(bytes), size};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof(space);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof(int));
  return sendmsg(socket, &message, flags);
}

}  // namespace bulkhead::ipc
