#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "schema/container.capnp.h"

// Checks of what a container sees besides its own root file system.
namespace bulkhead::validate {

// With those that CDI devices and the image bring, a container's mounts travel as descriptors in
// one message.
inline constexpr size_t kMaxMounts = 200;
inline constexpr size_t kMaxMountsInAll = 240;
inline constexpr size_t kMaxImageMounts = 32;

// An image id, or a reference in the one form that the store knows.
absl::Status CheckImageName(absl::string_view field, absl::string_view image);

// config.mounts, config.devices and config.CDI_devices.
absl::Status CheckMountsAndDevices(schema::ContainerConfig::Reader config);

}  // namespace bulkhead::validate
