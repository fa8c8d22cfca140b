#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker.h"

namespace bulkhead::broker {

// Runs the CNI plugins for the pod and notes addresses and undo record in it. FAILED_PRECONDITION: no configuration.
absl::Status AddNetwork(Fiber& fiber, Broker& broker, PodObject& pod);
// Undoes it, as often as called. OK where there is nothing to undo.
absl::Status DeleteNetwork(Fiber& fiber, Broker& broker, PodObject& pod);
// Whether there is a usable network configuration; at most one look every few seconds.
absl::Status CheckNetwork(Fiber& fiber, Broker& broker);

}  // namespace bulkhead::broker
