#include "base/status.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {
namespace {

// How long the broker is asked to wait for an event: so soon is it noticed that the client has
// gone.
constexpr uint32_t kWaitMs = 1000;

v1::ContainerEventType FromKind(schema::Event::Kind kind) {
  switch (kind) {
    case schema::Event::Kind::CREATED:
      return v1::CONTAINER_CREATED_EVENT;
    case schema::Event::Kind::STARTED:
      return v1::CONTAINER_STARTED_EVENT;
    case schema::Event::Kind::STOPPED:
      return v1::CONTAINER_STOPPED_EVENT;
    case schema::Event::Kind::DELETED:
      break;
  }
  return v1::CONTAINER_DELETED_EVENT;
}

v1::ContainerEventResponse FromEvent(schema::Event::Reader in) {
  v1::ContainerEventResponse out;
  out.set_container_id(std::string(in.getId().cStr(), in.getId().size()));
  out.set_container_event_type(FromKind(in.getKind()));
  out.set_created_at(in.getAtNs());
  if (in.hasPod()) FromPodStatus(in.getPod(), out.mutable_pod_sandbox_status());
  for (const auto container : in.getContainers()) {
    FromContainerStatus(container, schema::Image::Reader(), out.add_containers_statuses());
  }
  return out;
}

absl::Status Forward(const Call& call, uint64_t subscription, const EventSink& sink) {
  uint64_t seen = 0;
  while (!sink.gone()) {
    Question<Broker::NextEventsParams> question;
    question.params().setId(subscription);
    question.params().setSeen(seen);
    question.params().setWaitMs(kWaitMs);
    BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                              Ask(call, &Broker::Client::nextEventsRequest, question));
    // What is slow to take them in blocks this thread; the broker keeps so many meanwhile.
    for (const auto event : answer.results().getEvents()) {
      if (!sink.send(FromEvent(event))) return absl::OkStatus();
    }
    seen = answer.results().getLast();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status GetContainerEvents(const Call& call, const EventSink& sink) {
  Question<Broker::SubscribeParams> question;
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::subscribeRequest, question));
  const uint64_t subscription = answer.results().getId();
  const absl::Status status = Forward(call, subscription, sink);
  Question<Broker::UnsubscribeParams> end;
  end.params().setId(subscription);
  Ask(call, &Broker::Client::unsubscribeRequest, end).status().IgnoreError();
  return status;
}

}  // namespace bulkhead::frontend
