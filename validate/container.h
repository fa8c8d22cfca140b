#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "schema/container.capnp.h"

namespace bulkhead::validate {

// INVALID_ARGUMENT naming the CRI field ("config.mounts[2].host_path: ...") for the first thing
// wrong. UNIMPLEMENTED for what a later version brings (devices by CDI, image mounts, localhost
// seccomp).
absl::Status CheckContainerConfig(schema::ContainerConfig::Reader config);

// Of a container or a pod; field is how the request calls them ("config.linux.resources").
absl::Status CheckResources(absl::string_view field, schema::Resources::Reader resources);

// argv of an exec: 1 to 4,096 arguments, no NUL, 1 MiB in all.
absl::Status CheckArguments(absl::string_view field, capnp::List<capnp::Text>::Reader arguments);

// The streams of an exec or attach: at least one, and no standard error of its own on a terminal.
absl::Status CheckStreams(bool tty, bool in, bool out, bool err);

}  // namespace bulkhead::validate
