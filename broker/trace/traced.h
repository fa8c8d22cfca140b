#pragma once

#include "absl/status/status.h"
#include "broker/broker.h"
#include "broker/trace/timeline.h"

namespace bulkhead::broker {

// Records the operation that its fiber runs, while it lives:
//   return Traced(fiber, broker, "StartContainer", id).End(StartContainer(fiber, broker, id));
class Traced {
 public:
  // id: of the pod or container that the call names; a prefix will do.
  Traced(Fiber& fiber, Broker& broker, absl::string_view operation, const std::string& id = "")
      : fiber_(fiber), broker_(broker), timeline_(std::make_shared<Timeline>()) {
    timeline_->operation = std::string(operation);
    About(id);
    timeline_->wall_ns = WallClockNs();
    outer_ = fiber.ReplaceTimeline(timeline_);
  }
  Traced(const Traced&) = delete;
  ~Traced() {
    fiber_.ReplaceTimeline(outer_);
    timeline_->total_us = MonotonicMicros() - timeline_->begin_us;
    broker_.timelines.Add(timeline_);
  }

  Traced& About(const std::string& id) {
    if (id.empty()) return *this;
    if (auto container = broker_.state.FindContainer(id); container.ok()) {
      timeline_->object_id = (*container)->id;
      timeline_->pod_id = (*container)->record.read().getPodId().cStr();
    } else if (auto pod = broker_.state.FindPod(id); pod.ok()) {
      timeline_->pod_id = (*pod)->id;
    }
    return *this;
  }
  absl::Status End(absl::Status status) {
    timeline_->outcome = absl::StatusCodeToString(status.code());
    return status;
  }
  template <typename T>
  absl::StatusOr<T> End(absl::StatusOr<T> result) {
    timeline_->outcome = absl::StatusCodeToString(result.status().code());
    return result;
  }
  // For calls that return the id of what they made.
  absl::StatusOr<std::string> EndWithId(absl::StatusOr<std::string> id) {
    if (id.ok()) About(*id);
    return End(std::move(id));
  }

 private:
  Fiber& fiber_;
  Broker& broker_;
  std::shared_ptr<Timeline> timeline_;
  std::shared_ptr<Timeline> outer_;
};

}  // namespace bulkhead::broker
