#include "worker/init/init.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "base/log.h"
#include "ipc/message.h"
#include "schema/worker/init.capnp.h"
#include "security/profile.h"

namespace bulkhead::init {
namespace {

constexpr size_t kMaxConnections = 4;

base::UniqueFd WatchChildren() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return base::UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

void Reap(int children) {
  signalfd_siginfo info;
  while (read(children, &info, sizeof(info)) > 0) {
  }
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

bool IsBroker(int socket) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         peer.uid == security::kBrokerUid;
}

// Sends the pidfd by which others join the namespace.
absl::Status Introduce(int socket, const std::string& pod_id, int first) {
  capnp::MallocMessageBuilder message(32);
  message.initRoot<schema::InitState>().setPodId(pod_id);
  return ipc::Send(socket, message, {first}, base::Deadline::After(absl::Seconds(5)));
}

void Accept(int listener, const std::string& pod_id, int first,
            std::vector<base::UniqueFd>& connections) {
  base::UniqueFd socket(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket || !IsBroker(socket.get()) || connections.size() >= kMaxConnections) return;
  if (absl::Status sent = Introduce(socket.get(), pod_id, first); !sent.ok()) {
    base::Log(base::Severity::kWarning, "could not answer the broker", {{"why", sent.message()}});
    return;
  }
  connections.push_back(std::move(socket));
}

// True where the broker said the end; a connection that closed is forgotten.
bool Heard(std::vector<base::UniqueFd>& connections) {
  bool end = false;
  std::erase_if(connections, [&end](const base::UniqueFd& socket) {
    char byte;
    ssize_t n = recv(socket.get(), &byte, 1, MSG_DONTWAIT);
    end |= n == 1;
    return n == 0;
  });
  return end;
}

}  // namespace

void Serve(const std::string& pod_id, base::UniqueFd listener, base::UniqueFd first) {
  base::UniqueFd children = WatchChildren();
  std::vector<base::UniqueFd> connections;
  Reap(children.get());  // those that ended before they were watched
  while (true) {
    std::vector<pollfd> fds = {{.fd = listener.get(), .events = POLLIN},
                               {.fd = children.get(), .events = POLLIN},
                               {.fd = first.get(), .events = POLLIN}};
    for (const base::UniqueFd& socket : connections) {
      fds.push_back({.fd = socket.get(), .events = POLLIN});
    }
    if (poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[1].revents != 0) Reap(children.get());
    if (fds[2].revents != 0 || Heard(connections)) return;
    if (fds[0].revents != 0) Accept(listener.get(), pod_id, first.get(), connections);
  }
}

void ServeOrphans() {
  base::UniqueFd children = WatchChildren();
  while (true) {
    Reap(children.get());
    pollfd fd = {.fd = children.get(), .events = POLLIN};
    poll(&fd, 1, -1);
  }
}

}  // namespace bulkhead::init
