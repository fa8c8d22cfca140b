#include "broker/trace/metrics.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bulkhead::broker {
namespace {

Timeline Took(int64_t micros, const std::string& outcome = "OK") {
  Timeline timeline;
  timeline.operation = "StopContainer";
  timeline.outcome = outcome;
  timeline.total_us = micros;
  return timeline;
}

TEST(Metrics, CountsByOutcomeAndWithinBounds) {
  Metrics metrics;
  metrics.Count(Took(5'000));
  metrics.Count(Took(5'001));
  metrics.Count(Took(60'000'000));
  metrics.Count(Took(1, "NOT_FOUND"));
  const auto& ok = metrics.operations().at({"StopContainer", "OK"});
  EXPECT_EQ(ok.count, 3u);
  EXPECT_EQ(ok.micros, 60'010'001u);
  EXPECT_EQ(ok.within.front(), 1u);
  EXPECT_EQ(ok.within[1], 2u);
  EXPECT_EQ(ok.within.back(), 2u);
  EXPECT_EQ(metrics.operations().at({"StopContainer", "NOT_FOUND"}).count, 1u);
}

TEST(Metrics, AddsStepsUpAndKeepsNoMoreThanItsBound) {
  Metrics metrics;
  Timeline timeline = Took(100);
  timeline.Add("signal", 10, 30);
  timeline.Add("signal", 40, 45);
  timeline.Add("launch", 50, -1);
  metrics.Count(timeline);
  EXPECT_EQ(metrics.steps().at("signal").count, 2u);
  EXPECT_EQ(metrics.steps().at("signal").micros, 25u);
  EXPECT_FALSE(metrics.steps().contains("launch"));
  for (size_t i = 0; i < 2 * Metrics::kMaxSteps; ++i) {
    Timeline other = Took(1);
    other.Add(absl::StrCat("made up ", i), 0, 1);
    metrics.Count(other);
  }
  EXPECT_EQ(metrics.steps().size(), Metrics::kMaxSteps);
  metrics.Count(timeline);
  EXPECT_EQ(metrics.steps().at("signal").count, 4u);
}

}  // namespace
}  // namespace bulkhead::broker
