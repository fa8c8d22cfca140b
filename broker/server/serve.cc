#include "broker/server/serve.h"

#include <capnp/rpc-twoparty.h>
#include <sys/socket.h>

#include "base/status.h"
#include "broker/audit/policy_change.h"
#include "broker/server/admin_server.h"
#include "broker/server/broker_server.h"
#include "broker/streaming/serve_streams.h"
#include "ipc/frame_gate.h"
#include "ipc/tagged_fd.h"

namespace bulkhead::broker {
namespace {

constexpr size_t kMaxRequestBytes = 1 << 20;
constexpr size_t kMaxAnswerBytes = 34 << 20;
constexpr size_t kFlowLimitWords = (2 << 20) / sizeof(capnp::word);
constexpr int kMaxAdmins = 8;
constexpr char kNewFrontend = 'F';
constexpr char kNetworkChanged = 'N';
constexpr char kAlive = 'A';  // answered with the same, so that the supervisor knows
constexpr char kNewStreaming = 'S';
constexpr char kNewPolicy = 'P';

capnp::ReaderOptions RequestOptions() {
  capnp::ReaderOptions options;
  // Cap'n Proto holds what is sent against this as well: two streams of ExecSync are the longest.
  options.traversalLimitInWords = kMaxAnswerBytes / sizeof(capnp::word);
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

bool IsRoot(int socket) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

}  // namespace

void ServeSupervisor(Fiber& fiber, Broker& broker, int control) {
  std::unique_ptr<FrontendConnection> current;
  while (fiber.waiter().Readable(control, base::Deadline::Never()).ok()) {
    absl::StatusOr<ipc::TaggedFd> came = ipc::ReceiveTaggedFd(control);
    if (absl::IsNotFound(came.status())) continue;
    if (!came.ok()) return;
    if (came->tag == kNetworkChanged) {
      NoteConfigurationChange(broker);
      continue;
    }
    if (came->tag == kAlive) {
      send(control, &kAlive, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
      continue;
    }
    if (!came->fd) return;
    if (came->tag == kNewPolicy) {
      AdoptPolicy(broker, came->fd.get());
      continue;
    }
    if (came->tag == kNewStreaming) {
      broker.loop.Stay([&broker, daemon = std::move(came->fd)](Fiber& streams) mutable {
        ServeStreams(streams, broker, std::move(daemon));
      });
      continue;
    }
    if (came->tag != kNewFrontend) return;
    current.reset();
    current = std::make_unique<FrontendConnection>(broker, std::move(came->fd));
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
