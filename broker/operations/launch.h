#pragma once

#include "broker/broker.h"
#include "schema/worker/launch.capnp.h"
#include "security/profile.h"

namespace bulkhead::broker {

// What every job of the launch worker says of the container.
// Which worker does it.
security::Kind LaunchKind(const Broker& broker, const ContainerObject& container);
void FillLaunch(Broker& broker, const ContainerObject& container, schema::LaunchJob::Builder job);

}  // namespace bulkhead::broker
