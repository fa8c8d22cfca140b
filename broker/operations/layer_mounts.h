#pragma once

#include <vector>

#include "broker/broker.h"
#include "schema/worker/mount.capnp.h"

// Layers that are images are mounted once; every container gets a view of that one mount, so that
// what one has read the others need not. The broker keeps the mounts, which are attached nowhere,
// as descriptors: they go with it or with the layer, and what was built on them stays.
namespace bulkhead::broker {

// Names in the job (whose layers are set) the mounts that are there. Returns them; they stay the
// broker's.
std::vector<int> ShareLayerMounts(Broker& broker, size_t volumes, schema::MountJob::Builder job);
// Keeps those that came with the result, behind its first fds. layers: the job's.
void KeepLayerMounts(Broker& broker, capnp::List<schema::Digest>::Reader layers,
                     schema::MountResult::Reader result, absl::Span<base::UniqueFd> fds);

// After a container's end: lets go of the mounts of its layers that no other container has.
void DropLayerMounts(Broker& broker, capnp::List<schema::Digest>::Reader layers);

}  // namespace bulkhead::broker
