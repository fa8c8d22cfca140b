#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "schema/cdi.capnp.h"
#include "schema/config.capnp.h"
#include "schema/container.capnp.h"
#include "schema/image.capnp.h"
#include "schema/worker/launch.capnp.h"
#include "schema/worker/mount.capnp.h"

// What a container sees besides its root file system. The order is one and the same for what mount
// returns and for what launch attaches: host paths of the request, those of CDI devices, images,
// the container's own volumes.
namespace bulkhead::broker {

// The directories that the image declares as VOLUME and that nothing of the request is mounted on:
// the container gets empty ones of its own there. FAILED_PRECONDITION: a path that leads elsewhere
// or hides what every container needs; RESOURCE_EXHAUSTED: too many mounts in all.
absl::StatusOr<std::vector<std::string>> PlanOwnVolumes(schema::ContainerConfig::Reader config,
                                                        schema::CdiEdits::Reader cdi,
                                                        schema::ImageConfig::Reader image);

// The mounts that the worker makes for record.
void FillMounts(schema::Container::Reader record, schema::CdiEdits::Reader cdi, size_t own_volumes,
                schema::MountJob::Builder job);

// Where they go.
void PlanMounts(schema::ContainerConfig::Reader config, schema::CdiEdits::Reader cdi,
                const std::vector<std::string>& own_volumes, schema::ContainerSpec::Builder out);

// How many there are.
size_t CountMounts(schema::ContainerConfig::Reader config, schema::CdiEdits::Reader cdi,
                   size_t own_volumes);

}  // namespace bulkhead::broker
