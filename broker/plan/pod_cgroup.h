#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "schema/config.capnp.h"
#include "schema/container.capnp.h"
#include "schema/pod.capnp.h"

// Where a pod's cgroup is and what it allows. Pure functions.
namespace bulkhead::broker {

// kubelet names the pod's own cgroup as parent ("/kubepods/burstable/pod<uid>",
// "/kubepods.slice/.../kubepods-burstable-pod<uid_>.slice"): that one, then. Any other parent is
// many pods', and the pod gets one of its own in it; so it does where there is no parent.
// INVALID_ARGUMENT: a parent that the node's cgroup driver cannot have. The result is a path below
// each hierarchy, or with the systemd driver the name of a slice.
absl::StatusOr<std::string> PlanPodCgroup(schema::Config::Reader node,
                                          schema::PodConfig::Reader pod, absl::string_view pod_id);

// How kubelet names a pod's own cgroup: "pod<uid>", in a slice with its dashes as underscores.
std::string OwnPodName(schema::PodConfig::Reader pod, bool of_systemd);

// The path below each hierarchy of a pod's cgroup. The name comes from PlanPodCgroup.
std::string PathOfPodCgroup(const std::string& name);

// What a pod may use in all: the containers' resources and the overhead, added up. What one of both
// leaves unlimited stays unlimited.
void AddUp(schema::Resources::Reader resources, schema::Resources::Reader overhead,
           schema::Resources::Builder out);

// What an update means for a container with these resources. merged: all of them from now on;
// change: only what the cgroup has to be told. 0 and empty ask for nothing. INVALID_ARGUMENT names
// what cannot be changed or asked here.
absl::Status PlanUpdate(schema::Host::CgroupMode mode, schema::Resources::Reader now,
                        schema::Resources::Reader asked, schema::Resources::Builder merged,
                        schema::Resources::Builder change);

}  // namespace bulkhead::broker
