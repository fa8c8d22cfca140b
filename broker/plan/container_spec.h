#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "schema/cdi.capnp.h"
#include "schema/config.capnp.h"
#include "schema/container.capnp.h"
#include "schema/image.capnp.h"
#include "schema/pod.capnp.h"
#include "schema/seccomp.capnp.h"
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
  schema::CdiEdits::Reader cdi = {};
  schema::SeccompFilter::Reader seccomp = {};
  std::vector<std::string> own_volumes = {};  // plan/mounts.h
};

// Everything that config.json will say. INVALID_ARGUMENT names the field; FAILED_PRECONDITION, UNIMPLEMENTED: the node
// cannot give it.
absl::Status PlanContainer(const ContainerInputs& in, schema::ContainerSpec::Builder out);

// Whether the container names no other user namespace than its pod's. INVALID_ARGUMENT names the
// field.
absl::Status CheckMappings(schema::Pod::Reader pod, schema::ContainerConfig::Reader config);

// What the container may do, before the launch worker takes away what the node itself lacks: the defaults, what is
// added, less what is dropped.
uint64_t PlanCapabilities(schema::SecurityContext::Reader context);

// The process of an exec in a container that was planned as spec.
absl::Status PlanExec(schema::ContainerSpec::Reader spec, capnp::List<capnp::Text>::Reader argv,
                      schema::Process::Builder out);

// Makes it one with a terminal, whose programs want to know its kind.
void PlanTerminal(schema::Process::Builder process);

// Where the container's cgroup goes: "<pod's>/<id>", or "<pod's slice>:bulkhead:<id>" with the
// systemd driver.
std::string PlanCgroup(schema::Pod::Reader pod, absl::string_view container_id);

// "SIGTERM", "TERM", "15" to 15; 0 for anything else.
int ParseSignal(absl::string_view text);

}  // namespace bulkhead::broker
