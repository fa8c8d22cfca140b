#include "broker/state/events.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "broker/operations/stats.h"

namespace bulkhead::broker {
namespace {

using Kind = Events::Kind;

SnapshotPtr Snapshot(size_t bytes = 100) {
  auto snapshot = std::make_shared<PodSnapshot>();
  snapshot->bytes = bytes;
  return snapshot;
}

TEST(Events, NobodyFollowsAndNothingIsKept) {
  Events events;
  EXPECT_FALSE(events.followed());
  events.Publish(Kind::CREATED, "a", Snapshot());
  const uint64_t subscription = *events.Subscribe();
  EXPECT_TRUE(events.followed());
  EXPECT_TRUE(events.Take(subscription, 0, 10)->empty());
  events.Unsubscribe(subscription);
  EXPECT_FALSE(events.followed());
  EXPECT_TRUE(absl::IsNotFound(events.Take(subscription, 0, 10).status()));
}

TEST(Events, EachSubscriberGetsAllInOrderUntilItHasSeenThem) {
  Events events;
  const uint64_t one = *events.Subscribe(), two = *events.Subscribe();
  for (int i = 0; i < 10; ++i) events.Publish(Kind::STARTED, absl::StrCat(i), Snapshot());
  auto first = *events.Take(one, 0, 4);
  ASSERT_EQ(first.size(), 4u);
  // An answer that was lost on its way is given again.
  EXPECT_EQ((*events.Take(one, 0, 4))[3].id, "3");
  auto rest = *events.Take(one, first.back().number, 100);
  ASSERT_EQ(rest.size(), 6u);
  EXPECT_EQ(rest.front().id, "4");
  for (size_t i = 1; i < rest.size(); ++i) EXPECT_GT(rest[i].at_ns, rest[i - 1].at_ns);
  EXPECT_TRUE(events.Take(one, rest.back().number, 100)->empty());
  EXPECT_EQ(events.Take(two, 0, 100)->size(), 10u);
}

TEST(Events, WhoIsTooSlowIsTold) {
  Events events;
  const uint64_t slow = *events.Subscribe(), quick = *events.Subscribe();
  uint64_t seen = 0;
  for (size_t i = 0; i <= Events::kMaxBehind; ++i) {
    EXPECT_TRUE(events.Take(slow, 0, 1).ok());
    events.Publish(Kind::STARTED, "x", Snapshot());
    seen = events.Take(quick, seen, 10)->back().number;
  }
  EXPECT_TRUE(absl::IsDataLoss(events.Take(slow, 0, 1).status()));
  events.Publish(Kind::STOPPED, "x", Snapshot());
  EXPECT_TRUE(absl::IsDataLoss(events.Take(slow, 0, 1).status())) << "it does not heal";
  EXPECT_EQ(events.Take(quick, seen, 10)->size(), 1u) << "others do not suffer for it";
}

TEST(Events, BytesAreBoundedTooButNotThoseOfTheBeginning) {
  Events events;
  const uint64_t subscription = *events.Subscribe();
  const SnapshotPtr large = Snapshot(Events::kMaxBehindBytes);
  for (int i = 0; i < 5; ++i) events.Tell(subscription, Kind::STARTED, "pod", large);
  EXPECT_EQ(events.Take(subscription, 0, 10)->size(), 5u);
  events.Publish(Kind::STARTED, "a", large);
  EXPECT_TRUE(events.Take(subscription, 0, 10).ok());
  events.Publish(Kind::STARTED, "b", Snapshot(1));
  EXPECT_TRUE(absl::IsDataLoss(events.Take(subscription, 0, 10).status()));
}

TEST(Events, SoManyMayFollow) {
  Events events;
  std::vector<uint64_t> all;
  for (size_t i = 0; i < Events::kMaxSubscribers; ++i) all.push_back(*events.Subscribe());
  EXPECT_TRUE(absl::IsResourceExhausted(events.Subscribe().status()));
  events.Unsubscribe(all.front());
  EXPECT_TRUE(events.Subscribe().ok());
}

constexpr int64_t kSecond = 1000000000;

TEST(CpuRate, IsTheMeanSinceTheLookBefore) {
  CpuRate rate;
  EXPECT_EQ(rate.Look(110 * kSecond, 5 * kSecond, 100 * kSecond), kSecond / 2) << "since the start";
  EXPECT_EQ(rate.Look(120 * kSecond, 25 * kSecond, 0), 2 * kSecond) << "two processors";
  // Soon after: the same look before.
  EXPECT_EQ(rate.Look(120 * kSecond + kSecond / 2, 25 * kSecond, 0), 20 * kSecond * 2 / 21);
  EXPECT_EQ(rate.Look(130 * kSecond, 25 * kSecond, 0), 0);
}

TEST(CpuRate, SaysNothingWithoutAnInterval) {
  CpuRate rate;
  EXPECT_EQ(rate.Look(100 * kSecond, 5, 100 * kSecond), -1);
  CpuRate again;
  EXPECT_GE(again.Look(100 * kSecond, 50, 90 * kSecond), 0);
  EXPECT_EQ(again.Look(110 * kSecond, 10, 90 * kSecond), -1) << "the counter went back";
}

}  // namespace
}  // namespace bulkhead::broker
