#include "streaming/broker_link.h"

#include <functional>

#include "base/ids.h"
#include "base/status.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "ipc/status_codec.h"

namespace bulkhead::streaming {
namespace {

// Longer than the broker allows any of it to take.
constexpr absl::Duration kPatience = absl::Minutes(3);
constexpr int kMaxFds = 4;

absl::Status Ask(int socket, const std::function<void(schema::StreamRequest::Builder)>& fill) {
  capnp::MallocMessageBuilder message(64);
  fill(message.initRoot<schema::StreamRequest>());
  return ipc::Send(socket, message, {}, base::Deadline::After(kPatience));
}

// The answer's status, and what take makes of the rest.
absl::Status TakeAnswer(int socket,
                        const std::function<absl::Status(schema::StreamAnswer::Reader,
                                                         std::vector<base::UniqueFd>&)>& take) {
  BULKHEAD_ASSIGN_OR_RETURN(ipc::Received answer,
                            ipc::Receive(socket, {.max_bytes = 64 << 10, .max_fds = kMaxFds},
                                         base::Deadline::After(kPatience)));
  return ipc::Guarded([&]() -> absl::Status {
    auto reader = answer.As<schema::StreamAnswer>();
    BULKHEAD_RETURN_IF_ERROR(ipc::ReadStatus(reader.getStatus()));
    return take(reader, answer.fds());
  });
}

}  // namespace

absl::StatusOr<Grant> BrokerLink::Redeem(schema::StreamVerb verb, absl::string_view token) {
  const std::string bytes = base::FromHex(token);
  BULKHEAD_RETURN_IF_ERROR(Ask(socket_.get(), [&](schema::StreamRequest::Builder request) {
    auto redeem = request.initRedeem();
    redeem.setVerb(verb);
    redeem.setToken(kj::arrayPtr(reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()));
  }));
  Grant grant = {.verb = verb};
  BULKHEAD_RETURN_IF_ERROR(TakeAnswer(
      socket_.get(), [&](schema::StreamAnswer::Reader answer, std::vector<base::UniqueFd>&) {
        grant.tty = answer.getTty();
        grant.in = answer.getStdin();
        grant.out = answer.getStdout();
        grant.err = answer.getStderr();
        for (uint16_t port : answer.getPorts()) grant.ports.push_back(port);
        return absl::OkStatus();
      }));
  return grant;
}

absl::StatusOr<std::vector<base::UniqueFd>> BrokerLink::Start() {
  BULKHEAD_RETURN_IF_ERROR(
      Ask(socket_.get(), [](schema::StreamRequest::Builder request) { request.setStart(); }));
  std::vector<base::UniqueFd> fds;
  BULKHEAD_RETURN_IF_ERROR(TakeAnswer(
      socket_.get(), [&](schema::StreamAnswer::Reader, std::vector<base::UniqueFd>& came) {
        fds = std::move(came);
        return absl::OkStatus();
      }));
  return fds;
}

absl::Status BrokerLink::AskConnect(uint16_t port) {
  return Ask(socket_.get(),
             [port](schema::StreamRequest::Builder request) { request.setConnect(port); });
}

absl::StatusOr<base::UniqueFd> BrokerLink::TakeConnect() {
  base::UniqueFd fd;
  BULKHEAD_RETURN_IF_ERROR(TakeAnswer(
      socket_.get(), [&](schema::StreamAnswer::Reader, std::vector<base::UniqueFd>& came) {
        if (came.size() != 1) return absl::InternalError("no connection came");
        fd = std::move(came[0]);
        return absl::OkStatus();
      }));
  return fd;
}

}  // namespace bulkhead::streaming
