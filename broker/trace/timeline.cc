#include "broker/trace/timeline.h"

#include <time.h>

namespace bulkhead::broker {

int64_t MonotonicMicros() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000 + now.tv_nsec / 1000;
}

void Timelines::Add(std::shared_ptr<const Timeline> timeline) {
  if (all_.size() == kMax) all_.pop_front();
  all_.push_back(std::move(timeline));
}

TimedStep::TimedStep(std::shared_ptr<Timeline> timeline, absl::string_view name)
    : timeline_(std::move(timeline)) {
  if (timeline_ == nullptr) return;
  if (timeline_->steps.size() == Timeline::kMaxSteps) {
    timeline_ = nullptr;
    return;
  }
  index_ = timeline_->steps.size();
  timeline_->steps.push_back(
      {.name = std::string(name), .begin_us = MonotonicMicros() - timeline_->begin_us});
}

void TimedStep::End() {
  if (timeline_ == nullptr) return;
  timeline_->steps[index_].end_us = MonotonicMicros() - timeline_->begin_us;
  timeline_ = nullptr;
}

}  // namespace bulkhead::broker
