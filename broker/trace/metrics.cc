#include "broker/trace/metrics.h"

namespace bulkhead::broker {

void Metrics::Count(const Timeline& timeline) {
  Histogram& histogram = operations_[{timeline.operation, timeline.outcome}];
  ++histogram.count;
  histogram.micros += timeline.total_us;
  for (size_t i = 0; i < kBounds.size(); ++i)
    histogram.within[i] += timeline.total_us <= kBounds[i];
  for (const Timeline::Step& step : timeline.steps) {
    if (step.end_us < step.begin_us) continue;  // it had not ended
    if (steps_.size() >= kMaxSteps && !steps_.contains(step.name)) continue;
    Sum& sum = steps_[step.name];
    ++sum.count;
    sum.micros += step.end_us - step.begin_us;
  }
}

}  // namespace bulkhead::broker
