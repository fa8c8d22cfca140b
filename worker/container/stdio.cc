#include "worker/container/stdio.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/mount.h"
#include "base/status.h"

namespace bulkhead::container {
namespace {

using base::UniqueFd;

constexpr absl::Duration kConsolePatience = absl::Seconds(2);

// The one fd of one message, as runtimes send a terminal's master.
absl::StatusOr<UniqueFd> ReceiveTerminal(int connection) {
  char name[256];
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
  iovec part = {name, sizeof(name)};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0) {
    return base::ErrnoStatus("receive the terminal");
  }
  UniqueFd terminal;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      terminal.Reset(fd);
    }
  }
  if (!terminal || !isatty(terminal.get())) return absl::InternalError("no terminal came");
  return terminal;
}

absl::Status WaitReadable(int fd) {
  pollfd entry = {fd, POLLIN, 0};
  if (poll(&entry, 1, static_cast<int>(absl::ToInt64Milliseconds(kConsolePatience))) == 1) {
    return absl::OkStatus();
  }
  return absl::DeadlineExceededError("the runtime sent no terminal");
}

}  // namespace

absl::StatusOr<Stdio> Stdio::Make(Wanted wanted) {
  Stdio stdio;
  if (wanted.terminal) {
    BULKHEAD_RETURN_IF_ERROR(stdio.MakeConsole());
    return stdio;
  }
  if (wanted.out) {
    BULKHEAD_ASSIGN_OR_RETURN(base::FdPair out, base::MakePipe());
    stdio.out = std::move(out.first);
    stdio.child_out_ = std::move(out.second);
  }
  if (wanted.err) {
    BULKHEAD_ASSIGN_OR_RETURN(base::FdPair err, base::MakePipe());
    stdio.err = std::move(err.first);
    stdio.child_err_ = std::move(err.second);
  }
  if (wanted.in) {
    BULKHEAD_ASSIGN_OR_RETURN(base::FdPair in, base::MakePipe());
    stdio.child_in_ = std::move(in.first);
    stdio.in = std::move(in.second);
  }
  return stdio;
}

// A bundle's path is longer than a socket's name may be, so the name lies in a detached tmpfs that
// dies with the fd.
absl::Status Stdio::MakeConsole() {
  BULKHEAD_ASSIGN_OR_RETURN(
      directory_, base::MountDetached("tmpfs", {{.key = "mode", .value = "0700"}},
                                      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  console_.Reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!console_) return base::ErrnoStatus("console socket");
  sockaddr_un address = {.sun_family = AF_UNIX};
  const std::string path = ConsolePath();
  if (path.size() >= sizeof(address.sun_path)) return absl::InternalError("console path: too long");
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (bind(console_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(console_.get(), 1) != 0) {
    return base::ErrnoStatus("listen on the console socket");
  }
  return absl::OkStatus();
}

std::string Stdio::ConsolePath() const {
  if (!directory_) return "";
  return absl::StrCat(PathForChildren(directory_.get()), "/console");
}

absl::Status Stdio::Finish() {
  child_in_.Reset();
  child_out_.Reset();
  child_err_.Reset();
  if (!console_) return absl::OkStatus();
  BULKHEAD_RETURN_IF_ERROR(WaitReadable(console_.get()));
  UniqueFd connection(accept4(console_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection) return base::ErrnoStatus("accept the terminal");
  BULKHEAD_RETURN_IF_ERROR(WaitReadable(connection.get()));
  BULKHEAD_ASSIGN_OR_RETURN(out, ReceiveTerminal(connection.get()));
  BULKHEAD_ASSIGN_OR_RETURN(in, base::Duplicate(out.get()));
  console_.Reset();
  directory_.Reset();
  return absl::OkStatus();
}

}  // namespace bulkhead::container
