#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "schema/worker/sandbox.capnp.h"

namespace bulkhead::sandbox {

// A route-netlink socket in the network namespace of each of these pods, in their order. run: fd of
// <run_dir>. The calling process moves into those namespaces and must end afterwards.
// INVALID_ARGUMENT: not an id, or too many. NOT_FOUND: one of them has no network namespace.
absl::StatusOr<std::vector<base::UniqueFd>> WatchNetworks(capnp::List<capnp::Text>::Reader pods,
                                                          int run);

}  // namespace bulkhead::sandbox
