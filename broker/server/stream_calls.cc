#include "broker/operations/stream.h"
#include "broker/server/answer.h"
#include "broker/server/broker_server.h"

namespace bulkhead::broker {
namespace {

template <typename Params>
WantedStreams WantedOf(const Params& params) {
  return {.tty = params.getTty(),
          .in = params.getStdin(),
          .out = params.getStdout(),
          .err = params.getStderr()};
}

// These only note down what is wanted, so they need no fiber.
template <typename Context>
kj::Promise<void> AnswerUrl(Context& context, const absl::StatusOr<std::string>& url) {
  auto results = context.getResults();
  ipc::WriteStatus(url.status(), results.initStatus());
  if (url.ok()) results.setUrl(*url);
  return kj::READY_NOW;
}

}  // namespace

kj::Promise<void> BrokerServer::exec(ExecContext context) {
  auto params = context.getParams();
  return AnswerUrl(context,
                   OfferExec(broker_, params.getId().cStr(), params.getArgv(), WantedOf(params)));
}

kj::Promise<void> BrokerServer::attach(AttachContext context) {
  auto params = context.getParams();
  return AnswerUrl(context, OfferAttach(broker_, params.getId().cStr(), WantedOf(params)));
}

kj::Promise<void> BrokerServer::portForward(PortForwardContext context) {
  auto params = context.getParams();
  std::vector<uint16_t> ports;
  for (uint16_t port : params.getPorts()) ports.push_back(port);
  return AnswerUrl(context, OfferPortForward(broker_, params.getPodId().cStr(), ports));
}

}  // namespace bulkhead::broker
