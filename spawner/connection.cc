#include "spawner/connection.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::spawner {
namespace {

constexpr size_t kMostReplies = 4096;

// Closes all but one fd of what arrived. Returns how many there were.
int TakeOneFd(msghdr* message, base::UniqueFd* out) {
  int count = 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t fds = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < fds; ++i, ++count) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      out->Reset(fd);
    }
  }
  return count;
}

bool IsSocket(const base::UniqueFd& fd) {
  struct stat st;
  return fd && fstat(fd.get(), &st) == 0 && S_ISSOCK(st.st_mode);
}

}  // namespace

ssize_t ReceiveWithFd(int socket, void* bytes, size_t size, base::UniqueFd* fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];  // room to see a surplus
  iovec part = {bytes, size};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t got;
  do {
    got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return got;
  const int fds = TakeOneFd(&message, fd);
  if (got == 0 && fds == 0) return 0;
  const bool whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  if (static_cast<size_t>(got) == size && whole && fds <= 1) return got;
  fd->Reset();
  errno = EBADMSG;
  return -1;
}

absl::StatusOr<std::optional<Connection::Request>> Connection::Receive() {
  Request in;
  const ssize_t got = ReceiveWithFd(socket_.get(), &in.request, sizeof(in.request), &in.control);
  if (got == 0 || (got < 0 && errno == ECONNRESET)) {
    return absl::UnavailableError("the broker closed its socket");
  }
  if (got < 0 && errno == EAGAIN) return std::nullopt;
  if (got < 0 && errno != EBADMSG) return base::ErrnoStatus("receive a request");
  if (got < 0) return absl::DataLossError("request: size or descriptors");
  if (in.request.magic != ipc::kSpawnMagic || in.request.zero != 0) {
    return absl::DataLossError("request: form");
  }
  switch (in.request.op) {
    case ipc::SpawnOp::kSpawn:
      if (!IsSocket(in.control)) return absl::DataLossError("request: no control socket");
      if (in.request.id <= last_id_) return absl::DataLossError("request: id used before");
      last_id_ = in.request.id;
      return in;
    case ipc::SpawnOp::kKill:
      if (in.control) return absl::DataLossError("request: a descriptor too many");
      return in;
  }
  return absl::DataLossError("request: unknown operation");
}

absl::Status Connection::Send(const ipc::SpawnReply& reply) {
  if (backlog_.size() >= kMostReplies) {
    return absl::ResourceExhaustedError("the broker does not read");
  }
  backlog_.push_back(reply);
  return Flush();
}

absl::Status Connection::Flush() {
  while (!backlog_.empty()) {
    const ssize_t sent = send(socket_.get(), &backlog_.front(), sizeof(ipc::SpawnReply),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return absl::OkStatus();
    if (sent < 0) return absl::UnavailableError("the broker closed its socket");
    backlog_.pop_front();
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::spawner
