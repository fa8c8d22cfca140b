#pragma once

#include "broker/state/state.h"
#include "schema/audit.capnp.h"

namespace bulkhead::broker {

// What a container was given, for the record of its making. Environment and arguments are not in
// it.
void WriteEffect(const ContainerObject& container, schema::Effect::Builder effect);

}  // namespace bulkhead::broker
