#pragma once

#include "absl/status/statusor.h"
#include "broker/broker.h"
#include "schema/cdi.capnp.h"
#include "schema/seccomp.capnp.h"

namespace bulkhead::broker {

// What a container's request names that lies in files of the node: opened by nodefile, parsed by
// nodeconfig, checked here. Empty where the request names nothing.
struct NodeConfig {
  Record<schema::CdiEdits> cdi;
  Record<schema::SeccompFilter> seccomp;
};

// capabilities: what the container gets, for rules of a seccomp profile that depend on it.
// INVALID_ARGUMENT, FAILED_PRECONDITION, NOT_FOUND name the field.
absl::StatusOr<NodeConfig> ReadNodeConfig(Fiber& fiber, Broker& broker,
                                          schema::ContainerConfig::Reader config,
                                          uint64_t capabilities);

}  // namespace bulkhead::broker
