#pragma once

#include <optional>

#include "absl/status/status.h"
#include "broker/plan/container_spec.h"
#include "schema/cdi.capnp.h"
#include "schema/container.capnp.h"
#include "schema/pod.capnp.h"
#include "security/policy/pod_policy.h"

// A request held against the node's policy, before anything is made for it. PERMISSION_DENIED names
// the field and the policy's key. UNAVAILABLE: the policy has not come yet.
namespace bulkhead::broker {

using Policies = std::optional<security::PodPolicies>;

absl::Status AskForPod(const Policies& policies, schema::PodConfig::Reader config);

// cdi: what its devices need; empty, and runtime too, where that is not known yet.
absl::Status AskForContainer(const Policies& policies, schema::Pod::Reader pod,
                             schema::ContainerConfig::Reader config, schema::CdiEdits::Reader cdi,
                             const std::string& runtime);

// What was found out of its image: the user that its process has.
absl::Status AskForUser(const Policies& policies, schema::Pod::Reader pod,
                        schema::Process::Reader process);

absl::Status AskForLimits(const Policies& policies, schema::Pod::Reader pod,
                          schema::Resources::Reader resources);

absl::Status AskForStream(const Policies& policies, schema::Pod::Reader pod,
                          security::PodStream stream);

}  // namespace bulkhead::broker
