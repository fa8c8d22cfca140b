#include <algorithm>

#include "base/status.h"
#include "broker/server/answer.h"
#include "broker/server/broker_server.h"

namespace bulkhead::broker {
namespace {

constexpr uint32_t kLongestWaitMs = 60000;
constexpr size_t kMostEvents = 64;  // of one answer

void Fill(const Events::Event& event, schema::Event::Builder out) {
  out.setKind(event.kind);
  out.setId(event.id);
  out.setAtNs(event.at_ns);
  if (event.pod->pod.read().getId().size() > 0) out.setPod(event.pod->pod.read());
  auto containers = out.initContainers(event.pod->containers.size());
  for (size_t i = 0; i < event.pod->containers.size(); ++i) {
    containers.setWithCaveats(i, event.pod->containers[i].read());
  }
}

}  // namespace

BrokerServer::~BrokerServer() {
  for (const uint64_t subscription : subscriptions_) {
    broker_.state.events().Unsubscribe(subscription);
  }
}

kj::Promise<void> BrokerServer::subscribe(SubscribeContext context) {
  absl::StatusOr<uint64_t> subscription = broker_.state.Follow();
  auto results = context.getResults();
  ipc::WriteStatus(subscription.status(), results.initStatus());
  if (!subscription.ok()) return kj::READY_NOW;
  subscriptions_.insert(*subscription);
  results.setId(*subscription);
  return kj::READY_NOW;
}

kj::Promise<void> BrokerServer::nextEvents(NextEventsContext context) {
  auto params = context.getParams();
  const uint64_t id = params.getId(), seen = params.getSeen();
  const uint32_t wait_ms = std::min(params.getWaitMs(), kLongestWaitMs);
  if (!subscriptions_.contains(id)) {
    ipc::WriteStatus(absl::NotFoundError("events: no such subscription"),
                     context.getResults().initStatus());
    return kj::READY_NOW;
  }
  // Forgets what was seen, so that the wait is for what was not.
  broker_.state.events().Take(id, seen, 0).status().IgnoreError();
  context.allowCancellation();
  return broker_.state.events()
      .Wait(id, absl::Milliseconds(wait_ms), broker_.loop.timer())
      .then([this, context, id, seen]() mutable {
        auto results = context.getResults();
        auto events = broker_.state.events().Take(id, seen, kMostEvents);
        ipc::WriteStatus(events.status(), results.initStatus());
        if (absl::IsDataLoss(events.status())) {
          broker_.state.events().Unsubscribe(id);
          subscriptions_.erase(id);
        }
        if (!events.ok()) return;
        results.setLast(events->empty() ? seen : events->back().number);
        auto list = results.initEvents(events->size());
        for (size_t i = 0; i < events->size(); ++i) Fill((*events)[i], list[i]);
      });
}

kj::Promise<void> BrokerServer::unsubscribe(UnsubscribeContext context) {
  const uint64_t id = context.getParams().getId();
  if (subscriptions_.erase(id) > 0) broker_.state.events().Unsubscribe(id);
  return kj::READY_NOW;
}

}  // namespace bulkhead::broker
