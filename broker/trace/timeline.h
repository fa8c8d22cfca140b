#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// Where an operation's time went, step by step: for `bulkhead trace`, and for whoever wants an
// operation faster. Kept in memory only, bounded, and never asked for by the frontend.
namespace bulkhead::broker {

// Microseconds of CLOCK_MONOTONIC.
int64_t MonotonicMicros();

// One operation, from its call to its answer.
struct Timeline {
  struct Step {
    std::string name;      // "mount", "mount: start", "database"
    int64_t begin_us = 0;  // both since the operation began
    int64_t end_us = -1;   // -1: still going on
  };
  static constexpr size_t kMaxSteps = 64;  // more are not recorded

  std::string operation;  // "CreateContainer"
  std::string pod_id;
  std::string object_id;  // the container, where it is about one
  std::string outcome;    // "OK", or the code's name
  int64_t wall_ns = 0;    // when it began, since 1970
  int64_t begin_us = MonotonicMicros();
  int64_t total_us = 0;
  std::vector<Step> steps;

  void Add(std::string name, int64_t step_begin_us, int64_t end_us) {
    if (steps.size() < kMaxSteps) steps.push_back({std::move(name), step_begin_us, end_us});
  }
};

// The last operations, oldest first.
class Timelines {
 public:
  static constexpr size_t kMax = 1024;
  void Add(std::shared_ptr<const Timeline> timeline);
  const std::deque<std::shared_ptr<const Timeline>>& all() const { return all_; }

 private:
  std::deque<std::shared_ptr<const Timeline>> all_;
};

// Adds a step to a timeline while it lives. Does nothing without a timeline.
class TimedStep {
 public:
  TimedStep(std::shared_ptr<Timeline> timeline, absl::string_view name);
  TimedStep(TimedStep&& other) noexcept = default;
  TimedStep& operator=(TimedStep&&) = delete;
  ~TimedStep() { End(); }
  void End();

 private:
  std::shared_ptr<Timeline> timeline_;
  size_t index_ = 0;
};

}  // namespace bulkhead::broker
