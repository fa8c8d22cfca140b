#include "broker/state/events.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace bulkhead::broker {

absl::StatusOr<uint64_t> Events::Subscribe() {
  if (subscriptions_.size() >= kMaxSubscribers) {
    return absl::ResourceExhaustedError("events: too many follow them already");
  }
  const uint64_t id = next_++;
  subscriptions_[id];
  return id;
}

void Events::Unsubscribe(uint64_t subscription) {
  const auto found = subscriptions_.find(subscription);
  if (found == subscriptions_.end()) return;
  if (found->second.waiter.get() != nullptr) found->second.waiter->fulfill();
  subscriptions_.erase(found);
}

// The clock may step back; order must not.
int64_t Events::NextTime() {
  last_ns_ = std::max(absl::GetCurrentTimeNanos(), last_ns_ + 1);
  return last_ns_;
}

void Events::Publish(Kind kind, const std::string& id, const SnapshotPtr& pod) {
  const int64_t now = NextTime();
  for (auto& [number, subscription] : subscriptions_) {
    Append(subscription, {0, kind, id, now, pod, true});
  }
}

void Events::Tell(uint64_t subscription, Kind kind, const std::string& id, const SnapshotPtr& pod) {
  const auto found = subscriptions_.find(subscription);
  if (found == subscriptions_.end()) return;
  Append(found->second, {0, kind, id, NextTime(), pod, false});
}

void Events::Append(Subscription& subscription, Event event) {
  if (subscription.lost) return;
  if (event.counted) {
    ++subscription.behind;
    subscription.behind_bytes += event.pod->bytes;
  }
  if (subscription.behind > kMaxBehind || subscription.behind_bytes > kMaxBehindBytes) {
    subscription.lost = true;
    subscription.queue.clear();
  } else {
    event.number = ++subscription.last;
    subscription.queue.push_back(std::move(event));
  }
  if (subscription.waiter.get() != nullptr) subscription.waiter->fulfill();
}

kj::Promise<void> Events::Wait(uint64_t subscription, absl::Duration limit, kj::Timer& timer) {
  const auto found = subscriptions_.find(subscription);
  if (found == subscriptions_.end()) return kj::READY_NOW;
  Subscription& one = found->second;
  if (one.waiter.get() != nullptr) one.waiter->fulfill();
  one.waiter = nullptr;
  if (one.lost || !one.queue.empty()) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  one.waiter = kj::mv(paf.fulfiller);
  return paf.promise.exclusiveJoin(timer.afterDelay(Fiber::ToKj(limit)));
}

absl::StatusOr<std::vector<Events::Event>> Events::Take(uint64_t subscription, uint64_t seen,
                                                        size_t max) {
  const auto found = subscriptions_.find(subscription);
  if (found == subscriptions_.end()) return absl::NotFoundError("events: no such subscription");
  Subscription& one = found->second;
  if (one.lost) return absl::DataLossError("events: too slow, some are lost");
  while (!one.queue.empty() && one.queue.front().number <= seen) {
    if (one.queue.front().counted) {
      --one.behind;
      one.behind_bytes -= one.queue.front().pod->bytes;
    }
    one.queue.pop_front();
  }
  const size_t count = std::min(max, one.queue.size());
  return std::vector<Event>(one.queue.begin(), one.queue.begin() + static_cast<ptrdiff_t>(count));
}

}  // namespace bulkhead::broker
