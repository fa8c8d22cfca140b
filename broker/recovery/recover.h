#pragma once

#include "broker/broker.h"

namespace bulkhead::broker {

// Makes state and node agree again after a stop, a crash or a reboot: what was begun and not finished is undone or
// finished, containers that live are watched again, those that do not are recorded as ended. What fails is logged and
// stays for the next start or request: one bad thing must not keep the node from serving.
void Recover(Fiber& fiber, Broker& broker);

}  // namespace bulkhead::broker
