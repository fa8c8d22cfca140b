#include "broker/server/serve.h"

#include <capnp/rpc-twoparty.h>
#include <sys/socket.h>

#include "base/status.h"
#include "broker/server/admin_server.h"
#include "broker/server/broker_server.h"
#include "ipc/frame_gate.h"

namespace bulkhead::broker {
namespace {

constexpr size_t kMaxRequestBytes = 1 << 20;
constexpr size_t kFlowLimitWords = (2 << 20) / sizeof(capnp::word);
constexpr int kMaxAdmins = 8;
constexpr char kNewFrontend = 'F';
constexpr char kNetworkChanged = 'N';

capnp::ReaderOptions RequestOptions() {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 4 * kMaxRequestBytes / sizeof(capnp::word);
  options.nestingLimit = 16;
  return options;
}

void ReportViolation(absl::Status why) {
  base::Log(base::Severity::kError, "protocol violation by the frontend: connection dropped",
            {{"what", why.message()}});
}

// The RPC connection of one frontend, until it disconnects.
struct FrontendConnection {
  FrontendConnection(Broker& broker, base::UniqueFd socket)
      : stream(ipc::GatedStream(
            broker.loop.io().lowLevelProvider->wrapSocketFd(
                socket.Release(), kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP |
                                      kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC),
            kMaxRequestBytes, ReportViolation)),
        network(*stream, capnp::rpc::twoparty::Side::SERVER, RequestOptions()),
        rpc(capnp::makeRpcServer(network,
                                 capnp::Capability::Client(kj::heap<BrokerServer>(broker)))) {
    rpc.setFlowLimit(kFlowLimitWords);
  }

  kj::Own<kj::AsyncIoStream> stream;
  capnp::TwoPartyVatNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc;
};

struct AdminConnection {
  AdminConnection(Broker& broker, base::UniqueFd socket)
      : stream(broker.loop.io().lowLevelProvider->wrapUnixSocketFd(
            socket.Release(), kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP |
                                  kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC)),
        network(*stream, 1, capnp::rpc::twoparty::Side::SERVER, RequestOptions()),
        rpc(capnp::makeRpcServer(network,
                                 capnp::Capability::Client(kj::heap<AdminServer>(broker)))) {}

  kj::Own<kj::AsyncCapabilityStream> stream;
  capnp::TwoPartyVatNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc;
};

struct Notice {
  char what = 0;  // 0: the supervisor is gone
  base::UniqueFd fd;
};

// 'F' with a frontend's connection, or 'N' alone: something changed in the network configuration
// directory.
Notice ReceiveNotice(int control) {
  char what = 0;
  iovec part = {.iov_base = &what, .iov_len = 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
  ssize_t n = recvmsg(control, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  cmsghdr* header = n == 1 ? CMSG_FIRSTHDR(&message) : nullptr;
  Notice notice = {.what = n == 1 ? what : '\0'};
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return notice;
  int fd = -1;
  memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  notice.fd.Reset(fd);
  return notice;
}

bool IsRoot(int socket) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

}  // namespace

void ServeFrontends(Fiber& fiber, Broker& broker, int control) {
  std::unique_ptr<FrontendConnection> current;
  while (true) {
    if (!fiber.waiter().Readable(control, base::Deadline::Never()).ok()) return;
    Notice notice = ReceiveNotice(control);
    if (notice.what == kNetworkChanged) {
      NoteConfigurationChange(broker);
      continue;
    }
    if (notice.what != kNewFrontend || !notice.fd) return;
    current.reset();
    current = std::make_unique<FrontendConnection>(broker, std::move(notice.fd));
    base::Log(base::Severity::kInfo, "frontend connected");
  }
}

void ServeAdmins(Fiber& fiber, Broker& broker, int listener) {
  auto count = std::make_shared<int>(0);
  while (fiber.waiter().Readable(listener, base::Deadline::Never()).ok()) {
    base::UniqueFd socket(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno != EAGAIN && errno != EINTR) fiber.Sleep(absl::Milliseconds(100));
      continue;
    }
    if (!IsRoot(socket.get()) || *count >= kMaxAdmins) continue;
    auto connection = std::make_unique<AdminConnection>(broker, std::move(socket));
    ++*count;
    kj::Promise<void> gone = connection->network.onDisconnect();
    broker.loop.Add(gone.then([connection = std::move(connection), count]() mutable {
      connection.reset();
      --*count;
    }));
  }
}

}  // namespace bulkhead::broker
