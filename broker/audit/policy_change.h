#pragma once

#include "broker/broker.h"
#include "schema/audit.capnp.h"

namespace bulkhead::broker {

// Takes over the policy of pods that the supervisor has sent (a memfd; the caller's) and records
// that, where it takes another one's place. One that cannot be read changes nothing.
void AdoptPolicy(Broker& broker, int memfd);

// Under which policy this happens.
void SetPolicyHash(const Broker& broker, schema::AuditRecord::Builder record);

}  // namespace bulkhead::broker
