#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "broker/broker.h"
#include "broker/spawner/worker.h"

// The cgroup of a pod, in which its containers' are, and the limits of both.
namespace bulkhead::broker {

// Makes the pod's cgroup (record.cgroup) with its limits, or takes the one that is there, which
// keeps its own. Between Begin and Finish other workers may do their part.
class PodCgroupMaking {
 public:
  absl::Status Begin(Fiber& fiber, Broker& broker, const PodObject& pod);
  absl::Status Finish(Fiber& fiber, Broker& broker, const PodObject& pod);

 private:
  std::unique_ptr<Worker> worker_;
};

// Takes it away where making it was Bulkhead's work, and the parents that this leaves empty. May be
// repeated.
class PodCgroupRemoving {
 public:
  absl::Status Begin(Fiber& fiber, Broker& broker, const PodObject& pod);
  absl::Status Finish(Fiber& fiber);

 private:
  std::unique_ptr<Worker> worker_;  // null: the pod has none
  bool of_systemd_ = false;
};

// New limits for a pod. Those of a cgroup that is kubelet's are kubelet's to change: they are only
// recorded. An unset one stays. NOT_FOUND: no such pod; FAILED_PRECONDITION: not ready.
absl::Status UpdatePodResources(Fiber& fiber, Broker& broker, const std::string& id,
                                schema::Resources::Reader overhead,
                                schema::Resources::Reader resources);

// New limits for a container that is created or running: all of them or none. INVALID_ARGUMENT
// names the field; FAILED_PRECONDITION: it has ended, or uses more memory than it would be left.
absl::Status UpdateContainerResources(Fiber& fiber, Broker& broker, const std::string& id,
                                      schema::Resources::Reader asked);

}  // namespace bulkhead::broker
