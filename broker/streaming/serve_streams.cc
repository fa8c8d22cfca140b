#include "broker/streaming/serve_streams.h"

#include <set>

#include "base/status.h"
#include "broker/audit/operation.h"
#include "broker/operations/stream.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "ipc/status_codec.h"
#include "ipc/tagged_fd.h"

namespace bulkhead::broker {
namespace {

constexpr char kNewConnection = 'C';
constexpr size_t kMostStreams = 1024;
// A client has ten seconds for its request, and thirty for the streams of its command.
constexpr absl::Duration kRedeemPatience = absl::Seconds(15);
constexpr absl::Duration kStartPatience = absl::Seconds(60);
constexpr absl::Duration kAnswerPatience = absl::Seconds(10);

using Fds = std::vector<base::UniqueFd>;

// One connection's process and its token.
class Stream {
 public:
  Stream(Fiber& fiber, Broker& broker, base::UniqueFd socket)
      : fiber_(fiber), broker_(broker), socket_(std::move(socket)) {}

  void Serve() {
    if (!Redeem()) return;
    if (grant_.verb == schema::StreamVerb::PORT_FORWARD) {
      while (ServeConnect()) {
      }
    } else {
      Start();
    }
  }

 private:
  // The next request. Nothing: the process is gone or does not keep to the protocol; either way it
  // has no more to say.
  absl::StatusOr<ipc::Received> Next(base::Deadline deadline) {
    return ipc::Receive(socket_.get(), {.max_bytes = 4096}, deadline, fiber_.waiter());
  }

  bool Answer(const absl::Status& status, const Fds& fds = {}) {
    capnp::MallocMessageBuilder message;
    auto answer = message.initRoot<schema::StreamAnswer>();
    ipc::WriteStatus(status, answer.initStatus());
    answer.setTty(grant_.tty);
    answer.setStdin(grant_.in);
    answer.setStdout(grant_.out);
    answer.setStderr(grant_.err);
    auto ports = answer.initPorts(grant_.ports.size());
    for (size_t i = 0; i < grant_.ports.size(); ++i) ports.set(i, grant_.ports[i]);
    std::vector<int> numbers;
    for (const base::UniqueFd& fd : fds) numbers.push_back(fd.get());
    return ipc::Send(socket_.get(), message, numbers, base::Deadline::After(kAnswerPatience),
                     fiber_.waiter())
        .ok();
  }

  bool Redeem() {
    absl::StatusOr<ipc::Received> request = Next(base::Deadline::After(kRedeemPatience));
    if (!request.ok()) return false;
    absl::StatusOr<StreamGrant> grant = absl::NotFoundError("no such stream");
    const absl::Status read = ipc::Guarded([&] {
      auto reader = request->As<schema::StreamRequest>();
      if (!reader.isRedeem()) return;
      auto token = reader.getRedeem().getToken();
      grant = broker_.tokens.Redeem(reader.getRedeem().getVerb(),
                                    std::string(token.asChars().begin(), token.size()));
    });
    if (!read.ok()) return false;
    if (grant.ok()) grant_ = *std::move(grant);
    return Answer(grant.ok() ? absl::OkStatus() : grant.status()) && grant.ok();
  }

  void Start() {
    absl::StatusOr<ipc::Received> request = Next(base::Deadline::After(kStartPatience));
    if (!request.ok()) return;
    bool asked = false;
    ipc::Guarded([&] { asked = request->As<schema::StreamRequest>().isStart(); }).IgnoreError();
    if (!asked) return;
    const bool exec = grant_.verb == schema::StreamVerb::EXEC;
    absl::StatusOr<Fds> fds =
        Operation(fiber_, broker_, exec ? "ExecStream" : "AttachStream", grant_.id).Run([&] {
          return exec ? StartExec(fiber_, broker_, grant_) : StartAttach(fiber_, broker_, grant_);
        });
    if (!fds.ok()) {
      Answer(fds.status());
    } else {
      Answer(absl::OkStatus(), *fds);
    }
  }

  bool ServeConnect() {
    absl::StatusOr<ipc::Received> request = Next(base::Deadline::Never());
    if (!request.ok()) return false;
    uint16_t port = 0;
    ipc::Guarded([&] {
      auto reader = request->As<schema::StreamRequest>();
      if (reader.isConnect()) port = reader.getConnect();
    }).IgnoreError();
    if (port == 0) return false;
    const auto dial = [&] { return DialPod(fiber_, broker_, grant_.id, port); };
    // One record a port, not one a connection.
    absl::StatusOr<base::UniqueFd> socket =
        ports_.insert(port).second
            ? Operation(fiber_, broker_, "PortForwardStream", grant_.id).Run(dial)
            : dial();
    if (!socket.ok()) return Answer(socket.status());
    Fds fds;
    fds.push_back(*std::move(socket));
    return Answer(absl::OkStatus(), fds);
  }

  Fiber& fiber_;
  Broker& broker_;
  base::UniqueFd socket_;
  StreamGrant grant_;
  std::set<uint16_t> ports_;  // that were forwarded already
};

}  // namespace

void ServeStreams(Fiber& fiber, Broker& broker, base::UniqueFd daemon) {
  auto count = std::make_shared<size_t>(0);
  while (fiber.waiter().Readable(daemon.get(), base::Deadline::Never()).ok()) {
    absl::StatusOr<ipc::TaggedFd> came = ipc::ReceiveTaggedFd(daemon.get());
    if (absl::IsUnavailable(came.status())) return;
    if (!came.ok() || came->tag != kNewConnection || !came->fd) continue;
    if (*count >= kMostStreams) continue;
    ++*count;
    broker.loop.Stay([&broker, count, socket = std::move(came->fd)](Fiber& stream) mutable {
      Stream(stream, broker, std::move(socket)).Serve();
      --*count;
    });
  }
}

}  // namespace bulkhead::broker
