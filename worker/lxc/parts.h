#pragma once

#include "absl/status/status.h"
#include "worker/lxc/lines.h"
#include "worker/lxc/lxc_config.h"

// The parts that LxcConfig puts together.
namespace bulkhead::lxc {

absl::Status AddProcess(const Inputs& in, MountPoints& mount_points, Lines* lines);
absl::Status AddNamespaces(const Inputs& in, Lines* lines);
absl::Status AddMounts(const Inputs& in, MountPoints& mount_points, Lines* lines);
absl::Status AddResources(const Inputs& in, Lines* lines);

// field: what asked for it.
absl::Status Refuse(absl::string_view field, absl::string_view what);
// Whether all members of object are among these: what is not known is not dropped.
absl::Status OnlyKnown(const nlohmann::json& object, const char* name,
                       std::initializer_list<const char*> known);

}  // namespace bulkhead::lxc
