#include "broker/audit/operation.h"
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

constexpr auto kFillUrl = [](auto results, const std::string& url) { results.setUrl(url); };

}  // namespace

kj::Promise<void> BrokerServer::exec(ExecContext context) {
  auto params = std::make_shared<Record<ExecParams>>(context.getParams());
  return Answer(
      broker_.loop, context,
      [this, params](Fiber& fiber) {
        auto asked = params->read();
        std::string id = asked.getId().cStr();
        return Operation(fiber, broker_, "Exec", id).WithArguments(asked.getArgv()).Run([&] {
          return OfferExec(broker_, id, asked.getArgv(), WantedOf(asked));
        });
      },
      kFillUrl);
}

kj::Promise<void> BrokerServer::attach(AttachContext context) {
  std::string id = context.getParams().getId();
  WantedStreams wanted = WantedOf(context.getParams());
  return Answer(
      broker_.loop, context,
      [this, id, wanted](Fiber& fiber) {
        return Operation(fiber, broker_, "Attach", id).Run([&] {
          return OfferAttach(broker_, id, wanted);
        });
      },
      kFillUrl);
}

kj::Promise<void> BrokerServer::portForward(PortForwardContext context) {
  std::string id = context.getParams().getPodId();
  std::vector<uint16_t> ports;
  for (uint16_t port : context.getParams().getPorts()) ports.push_back(port);
  return Answer(
      broker_.loop, context,
      [this, id, ports](Fiber& fiber) {
        return Operation(fiber, broker_, "PortForward", id).Run([&] {
          return OfferPortForward(broker_, id, ports);
        });
      },
      kFillUrl);
}

}  // namespace bulkhead::broker
