#pragma once

#include "broker/operations/store_check.h"

namespace bulkhead::broker {

// Does what can be done about the findings, and writes into each what that was.
void RepairStore(Fiber& fiber, Broker& broker, CheckReport* report);

}  // namespace bulkhead::broker
