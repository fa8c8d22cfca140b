#pragma once

#include "absl/status/statusor.h"
#include "schema/config.capnp.h"
#include "schema/container.capnp.h"
#include "schema/image.capnp.h"
#include "schema/pod.capnp.h"
#include "schema/worker/launch.capnp.h"

// Pure functions from a request, an image and the configuration to what is to be done. No I/O, no
// state.
namespace bulkhead::broker {

struct ContainerInputs {
  std::string container_id;
  schema::Pod::Reader pod;
  schema::ContainerConfig::Reader config;
  schema::ImageConfig::Reader image;
  schema::UserIds::Reader user;
  schema::Config::Reader node;
};

// Everything that config.json will say. INVALID_ARGUMENT names the field.
absl::Status PlanContainer(const ContainerInputs& in, schema::ContainerSpec::Builder out);

// Whether the container names no other user namespace than its pod's. INVALID_ARGUMENT names the
// field.
absl::Status CheckMappings(schema::Pod::Reader pod, schema::ContainerConfig::Reader config);

// The process of an exec in a container that was planned as spec.
absl::Status PlanExec(schema::ContainerSpec::Reader spec, capnp::List<capnp::Text>::Reader argv,
                      schema::Process::Builder out);

// Where the container's cgroup goes: "<parent>/<id>", or "<slice>:bulkhead:<id>" with the systemd
// driver.
std::string PlanCgroup(schema::Config::Reader node, schema::PodConfig::Reader pod,
                       absl::string_view container_id);

struct RuntimeChoice {
  std::string name;
  std::string path;
  const char* rule;  // "handler" or "default"
};
// The pod's handler, else the default; never a fallback. INVALID_ARGUMENT: no such handler;
// FAILED_PRECONDITION: its program is missing; UNIMPLEMENTED: its type.
absl::StatusOr<RuntimeChoice> ChooseRuntime(schema::Config::Reader node, absl::string_view handler);

// "SIGTERM", "TERM", "15" to 15; 0 for anything else.
int ParseSignal(absl::string_view text);

}  // namespace bulkhead::broker
