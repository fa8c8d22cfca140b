#pragma once

#include "absl/status/status.h"
#include "broker/state/state.h"
#include "schema/config.capnp.h"

namespace bulkhead::broker {

// Which ids of the node a new pod's user namespace gets, if it has one: those that it asks for,
// where no ready pod of another uid has any of them, else the first free 65536 of the node's
// subordinate ids. Sets them in pod. always: it has one though it asks for none. INVALID_ARGUMENT:
// they are another pod's. FAILED_PRECONDITION: the node has no subordinate ids. RESOURCE_EXHAUSTED:
// none is free.
absl::Status ChooseIds(schema::Config::Reader node, const State& state, schema::Pod::Builder pod,
                       bool always = false);

}  // namespace bulkhead::broker
