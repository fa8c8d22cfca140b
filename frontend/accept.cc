#include "frontend/accept.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"

namespace bulkhead::frontend {
namespace {

// 0 where fd is no open file.
ino_t InodeOf(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 ? info.st_ino : 0;
}

}  // namespace

absl::StatusOr<Acceptor> Acceptor::Make(base::UniqueFd listener, AcceptOptions options,
                                        std::function<void(base::UniqueFd)> serve) {
  // A peer may have gone between poll and accept.
  if (fcntl(listener.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
    return base::ErrnoStatus("make the CRI socket non-blocking");
  }
  base::UniqueFd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return base::ErrnoStatus("eventfd");
  return Acceptor(std::move(listener), std::move(stop), std::move(options), std::move(serve));
}

Acceptor::Acceptor(base::UniqueFd listener, base::UniqueFd stop, AcceptOptions options,
                   std::function<void(base::UniqueFd)> serve)
    : listener_(std::move(listener)),
      stop_(std::move(stop)),
      options_(std::move(options)),
      serve_(std::move(serve)) {}

absl::Status Acceptor::Run() {
  pollfd entries[] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
  for (;;) {
    if (poll(entries, 2, -1) < 0 && errno != EINTR) return base::ErrnoStatus("poll");
    if (entries[1].revents != 0) return absl::OkStatus();
    if (entries[0].revents != 0) AcceptOne();
    entries[0].revents = entries[1].revents = 0;
  }
}

void Acceptor::Stop() {
  const uint64_t one = 1;
  // Fails only where the counter is full, and then the loop has been told already.
  if (write(stop_.get(), &one, sizeof(one)) < 0) return;
}

void Acceptor::AcceptOne() {
  base::UniqueFd connection(
      accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection) {
    if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS) return;
    // The connection stays in the queue: without a pause this would spin.
    base::Log(base::Severity::kError, "cannot accept a connection",
              {{"error", base::ErrnoStatus("accept").message()}});
    absl::SleepFor(absl::Milliseconds(100));
    return;
  }
  if (!IsAllowed(connection.get())) return;
  ForgetClosed();
  if (served_.size() >= options_.max_connections) {
    base::Log(base::Severity::kWarning, "connection refused: there are too many",
              {{"connections", served_.size()}});
    return;
  }
  served_.push_back({connection.get(), InodeOf(connection.get())});
  serve_(std::move(connection));
}

bool Acceptor::IsAllowed(int connection) const {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  const auto& allowed = options_.allowed_uids;
  if (peer.uid == 0 || std::find(allowed.begin(), allowed.end(), peer.uid) != allowed.end()) {
    return true;
  }
  base::Log(base::Severity::kWarning, "connection refused: the user may not speak CRI",
            {{"uid", peer.uid}});
  return false;
}

// gRPC closes a connection without telling. The number of the descriptor is then free or means
// another socket.
void Acceptor::ForgetClosed() {
  std::erase_if(served_, [](const Served& served) { return InodeOf(served.fd) != served.inode; });
}

}  // namespace bulkhead::frontend
