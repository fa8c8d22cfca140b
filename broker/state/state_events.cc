// The part of State that tells what happens.
#include "base/status.h"
#include "broker/state/state.h"

namespace bulkhead::broker {
namespace {

Events::Kind KindOf(Told told) {
  return told == Told::kCreated   ? Events::Kind::CREATED
         : told == Told::kStarted ? Events::Kind::STARTED
                                  : Events::Kind::STOPPED;
}

}  // namespace

Told Reached(const PodObject& pod) {
  if (pod.phase == Phase::kCreating) return Told::kNothing;
  return pod.record.read().getState() == schema::Pod::State::READY ? Told::kStarted
                                                                   : Told::kStopped;
}

Told Reached(const ContainerObject& container) {
  if (container.phase == Phase::kCreating) return Told::kNothing;
  switch (container.record.read().getState()) {
    case schema::Container::State::CREATED:
      return Told::kCreated;
    case schema::Container::State::RUNNING:
      return Told::kStarted;
    case schema::Container::State::EXITED:
      return Told::kStopped;
    case schema::Container::State::UNKNOWN:
      break;
  }
  return Told::kNothing;
}

SnapshotPtr State::SnapshotOf(absl::string_view pod_id) const {
  auto snapshot = std::make_shared<PodSnapshot>();
  auto pod = pods_.find(std::string(pod_id));
  if (pod != pods_.end()) {
    snapshot->pod = Record<schema::Pod>(pod->second->record.read());
    snapshot->bytes += snapshot->pod.read().totalSize().wordCount * sizeof(capnp::word);
  }
  for (const ContainerPtr& container : ContainersOf(pod_id)) {
    if (container->phase == Phase::kCreating) continue;
    snapshot->containers.emplace_back(container->record.read());
    snapshot->bytes +=
        snapshot->containers.back().read().totalSize().wordCount * sizeof(capnp::word);
  }
  return snapshot;
}

void State::Publish(Events::Kind kind, const std::string& id, absl::string_view pod_id) {
  if (events_.followed()) events_.Publish(kind, id, SnapshotOf(pod_id));
}

void State::Observe(PodObject& pod) {
  for (const Told reached = Reached(pod); pod.told < reached;) {
    pod.told = static_cast<Told>(static_cast<int>(pod.told) + 1);
    Publish(KindOf(pod.told), pod.id, pod.id);
  }
}

void State::Observe(ContainerObject& container) {
  auto record = container.record.read();
  for (const Told reached = Reached(container); container.told < reached;) {
    container.told = static_cast<Told>(static_cast<int>(container.told) + 1);
    // One that was killed before it was started.
    if (container.told == Told::kStarted && record.getStartedAtNs() == 0) continue;
    Publish(KindOf(container.told), container.id, record.getPodId().cStr());
  }
}

absl::StatusOr<uint64_t> State::Follow() {
  BULKHEAD_ASSIGN_OR_RETURN(const uint64_t subscription, events_.Subscribe());
  for (const auto& [id, pod] : pods_) {
    if (pod->told == Told::kNothing) continue;
    const SnapshotPtr snapshot = SnapshotOf(id);
    events_.Tell(subscription, KindOf(pod->told), id, snapshot);
    for (const ContainerPtr& container : ContainersOf(id)) {
      if (container->told == Told::kNothing) continue;
      events_.Tell(subscription, KindOf(container->told), container->id, snapshot);
    }
  }
  return subscription;
}

}  // namespace bulkhead::broker
