#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "broker/broker.h"

// Operations on pods. Each may be repeated: a repeated one finishes or finds finished what an earlier one began.
namespace bulkhead::broker {

// Returns the pod's id. ALREADY_EXISTS: the name is taken by a pod with another configuration, or one that is stopped.
absl::StatusOr<std::string> RunPod(Fiber& fiber, Broker& broker, schema::PodConfig::Reader config);
// Kills its containers and pays back its network. Unknown is success.
absl::Status StopPod(Fiber& fiber, Broker& broker, const std::string& id);
absl::Status RemovePod(Fiber& fiber, Broker& broker, const std::string& id);

// Takes away all that a pod may have left, in whatever state it is, then its row. For undo and recovery.
absl::Status DestroyPod(Fiber& fiber, Broker& broker, const PodPtr& pod);

}  // namespace bulkhead::broker
