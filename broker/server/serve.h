#pragma once

#include "base/unique_fd.h"
#include "broker/broker.h"

namespace bulkhead::broker {

// Serves the frontends that the supervisor passes over control, one at a time: a new one replaces
// the old. Ends when the supervisor closes control.
void ServeSupervisor(Fiber& fiber, Broker& broker, int control);

// Accepts admin connections for ever; only root's.
void ServeAdmins(Fiber& fiber, Broker& broker, int listener);

}  // namespace bulkhead::broker
