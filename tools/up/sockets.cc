#include "tools/up/sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "ipc/send_fd.h"

namespace bulkhead::tools {
namespace {

constexpr int kBacklog = 128;
constexpr int kFirstHandedFd = 3;

absl::StatusOr<sockaddr_un> Address(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("socket ", path, ": the path is too long"));
  }
  memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::Status RemoveStale(const std::string& path) {
  struct stat st;
  if (lstat(path.c_str(), &st) != 0) {
    return errno == ENOENT ? absl::OkStatus() : base::ErrnoStatus(absl::StrCat("stat ", path));
  }
  if (!S_ISSOCK(st.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is there and is not a socket"));
  }
  if (unlink(path.c_str()) != 0) return base::ErrnoStatus(absl::StrCat("remove ", path));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<base::UniqueFd> ListenAt(const std::string& path, mode_t mode) {
  BULKHEAD_ASSIGN_OR_RETURN(sockaddr_un address, Address(path));
  BULKHEAD_RETURN_IF_ERROR(RemoveStale(path));
  base::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::ErrnoStatus("make socket");
  // Nobody may connect between bind and chmod.
  mode_t before = umask(0777);
  int bound = bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  int error = errno;
  umask(before);
  if (bound != 0) return base::ErrnoStatus(absl::StrCat("bind ", path), error);
  if (chmod(path.c_str(), mode) != 0) return base::ErrnoStatus(absl::StrCat("chmod ", path));
  if (listen(fd.get(), kBacklog) != 0) return base::ErrnoStatus(absl::StrCat("listen ", path));
  return fd;
}

absl::StatusOr<base::UniqueFd> TakeHandedSocket(const std::string& path) {
  const char* pid = getenv("LISTEN_PID");
  const char* count = getenv("LISTEN_FDS");
  int64_t who = 0;
  const bool ours = pid != nullptr && count != nullptr && absl::SimpleAtoi(pid, &who) &&
                    who == getpid() && absl::string_view(count) != "0";
  const bool one = ours && absl::string_view(count) == "1";
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(name);
  if (!ours) return base::UniqueFd();
  if (!one) {
    return absl::FailedPreconditionError("the service manager handed over more than one socket");
  }
  base::UniqueFd fd(kFirstHandedFd);
  fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  sockaddr_un address = {};
  socklen_t length = sizeof(address);
  int listens = 0;
  socklen_t size = sizeof(listens);
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
      getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0 ||
      address.sun_family != AF_UNIX || path != address.sun_path) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the service manager handed over something else than a socket that listens at ", path));
  }
  return fd;
}

absl::StatusOr<base::UniqueFd> ConnectTo(const std::string& path) {
  BULKHEAD_ASSIGN_OR_RETURN(sockaddr_un address, Address(path));
  base::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::ErrnoStatus("make socket");
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return base::ErrnoStatus(absl::StrCat("connect to ", path));
  }
  return fd;
}

absl::Status SendFd(int socket, char tag, int fd) {
  ssize_t n;
  do {
    n = ipc::SendWithFd(socket, &tag, 1, fd, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n == 1) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("hand over a connection: ", strerror(errno)));
}

void NotifyManager(const char* state) {
  const char* path = getenv("NOTIFY_SOCKET");
  if (path == nullptr) return;
  absl::StatusOr<sockaddr_un> address = Address(path);
  base::UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!address.ok() || !fd) return;
  // "@" stands for the zero byte of an abstract address, whose length counts.
  if (address->sun_path[0] == '@') address->sun_path[0] = '\0';
  socklen_t length = offsetof(sockaddr_un, sun_path) + strlen(path);
  if (sendto(fd.get(), state, strlen(state), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&*address),
             length) < 0) {
    base::Log(base::Severity::kWarning, "service manager not told", {{"error", strerror(errno)}});
  }
}

}  // namespace bulkhead::tools
