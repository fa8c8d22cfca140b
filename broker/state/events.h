#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/fiber.h"
#include "broker/state/record.h"
#include "schema/stats.capnp.h"

namespace bulkhead::broker {

// A pod with its containers, as they were when something happened.
struct PodSnapshot {
  Record<schema::Pod> pod;
  std::vector<Record<schema::Container>> containers;
  size_t bytes = 0;
};
using SnapshotPtr = std::shared_ptr<const PodSnapshot>;

// What happened to pods and containers, for those who follow it. Nobody follows: nothing is kept.
class Events {
 public:
  using Kind = schema::Event::Kind;
  static constexpr size_t kMaxSubscribers = 8;
  // How far one may fall behind: then it has lost events, and is told so. What was there when it
  // subscribed does not count.
  static constexpr size_t kMaxBehind = 4096;
  static constexpr size_t kMaxBehindBytes = 16 << 20;

  struct Event {
    uint64_t number;  // from 1, of the subscription
    Kind kind;
    std::string id;
    int64_t at_ns;
    SnapshotPtr pod;
    bool counted;  // against the limits
  };

  bool followed() const { return !subscriptions_.empty(); }
  // RESOURCE_EXHAUSTED: there are enough.
  absl::StatusOr<uint64_t> Subscribe();
  void Unsubscribe(uint64_t subscription);

  // To all. at_ns: later than that of any event before.
  void Publish(Kind kind, const std::string& id, const SnapshotPtr& pod);
  // To one, of what is there already.
  void Tell(uint64_t subscription, Kind kind, const std::string& id, const SnapshotPtr& pod);

  // Until there is one, or limit has passed. One waits at a time: an earlier one is let go.
  kj::Promise<void> Wait(uint64_t subscription, absl::Duration limit, kj::Timer& timer);
  // Those after number seen, at most max; the others are forgotten. DATA_LOSS: it fell too far
  // behind. NOT_FOUND: no such subscription.
  absl::StatusOr<std::vector<Event>> Take(uint64_t subscription, uint64_t seen, size_t max);

 private:
  struct Subscription {
    std::deque<Event> queue;
    uint64_t last = 0;
    size_t behind = 0;
    size_t behind_bytes = 0;
    bool lost = false;
    kj::Own<kj::PromiseFulfiller<void>> waiter;
  };
  static void Append(Subscription& subscription, Event event);
  int64_t NextTime();

  std::map<uint64_t, Subscription> subscriptions_;
  uint64_t next_ = 1;
  int64_t last_ns_ = 0;
};

}  // namespace bulkhead::broker
