#include "validate/mounts.h"

#include <capnp/message.h>

#include <algorithm>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "base/clean_path.h"
#include "base/status.h"
#include "validate/cdi_name.h"
#include "validate/mount_options.h"
#include "validate/reference.h"
#include "validate/text.h"

namespace bulkhead::validate {
namespace {

using schema::ContainerConfig;
using schema::Device;
using schema::Mount;

constexpr size_t kMaxImageBytes = 1024;
constexpr size_t kMaxDevices = 256;
constexpr size_t kMaxCdiDevices = 64;

absl::Status CheckImageMount(absl::string_view field, Mount::Reader mount) {
  BULKHEAD_RETURN_IF_ERROR(
      CheckImageName(absl::StrCat(field, ".image.image"), View(mount.getImage())));
  if (mount.getHostPath().size() != 0) {
    return Refuse(absl::StrCat(field, ".host_path"), "not together with image");
  }
  if (!mount.getReadonly()) {
    return Refuse(absl::StrCat(field, ".readonly"), "an image is mounted read-only or not at all");
  }
  BULKHEAD_RETURN_IF_ERROR(CheckLine(absl::StrCat(field, ".image.user_specified_image"),
                                     View(mount.getUserSpecifiedImage()), kMaxImageBytes));
  const absl::string_view sub_path = View(mount.getImageSubPath());
  if (sub_path.empty()) return absl::OkStatus();
  const std::string name = absl::StrCat(field, ".image_sub_path");
  BULKHEAD_ASSIGN_OR_RETURN(const std::string clean, base::CleanRelativePath(name, sub_path));
  return clean == sub_path ? absl::OkStatus() : Refuse(name, "not a clean path");
}

absl::Status CheckHostMount(absl::string_view field, Mount::Reader mount) {
  BULKHEAD_RETURN_IF_ERROR(CheckPath(absl::StrCat(field, ".host_path"), View(mount.getHostPath())));
  if (mount.getImageSubPath().size() != 0) {
    return Refuse(absl::StrCat(field, ".image_sub_path"), "needs image");
  }
  if (mount.getUserSpecifiedImage().size() != 0) {
    return Refuse(absl::StrCat(field, ".image"), "names no image");
  }
  return absl::OkStatus();
}

absl::Status CheckRecursiveReadOnly(absl::string_view field, Mount::Reader mount) {
  if (!mount.getRecursiveReadOnly()) return absl::OkStatus();
  const std::string name = absl::StrCat(field, ".recursive_read_only");
  if (!mount.getReadonly()) return Refuse(name, "needs readonly");
  // A mount that arrives later would be writable.
  if (mount.getPropagation() != Mount::Propagation::PRIVATE) {
    return Refuse(name, "needs PROPAGATION_PRIVATE");
  }
  return absl::OkStatus();
}

absl::Status CheckMount(absl::string_view field, Mount::Reader mount) {
  const std::string inside = absl::StrCat(field, ".container_path");
  BULKHEAD_RETURN_IF_ERROR(CheckPath(inside, View(mount.getContainerPath())));
  if (mount.getContainerPath() == "/"_kj) return Refuse(inside, "must not be the root");
  BULKHEAD_RETURN_IF_ERROR(mount.getImage().size() != 0 ? CheckImageMount(field, mount)
                                                        : CheckHostMount(field, mount));
  if (!IsKnown(mount.getPropagation(), Mount::Propagation::BIDIRECTIONAL)) {
    return Refuse(absl::StrCat(field, ".propagation"), "unknown");
  }
  if (!AreMountOptions(mount.getOptions())) {
    return Refuse(absl::StrCat(field, ".mount_options"), "unknown, or contradict one another");
  }
  return CheckRecursiveReadOnly(field, mount);
}

absl::Status CheckDevice(absl::string_view field, Device::Reader device) {
  BULKHEAD_RETURN_IF_ERROR(
      CheckPath(absl::StrCat(field, ".container_path"), View(device.getContainerPath())));
  BULKHEAD_RETURN_IF_ERROR(
      CheckPath(absl::StrCat(field, ".host_path"), View(device.getHostPath())));
  std::string letters(View(device.getPermissions()));
  std::sort(letters.begin(), letters.end());
  const bool once = std::adjacent_find(letters.begin(), letters.end()) == letters.end();
  if (letters.empty() || !once || letters.find_first_not_of("mrw") != std::string::npos) {
    return Refuse(absl::StrCat(field, ".permissions"), "must be some of r, w and m");
  }
  return absl::OkStatus();
}

absl::Status CheckCdiDevices(capnp::List<capnp::Text>::Reader devices) {
  constexpr absl::string_view kField = "config.CDI_devices";
  BULKHEAD_RETURN_IF_ERROR(CheckCount(kField, devices.size(), kMaxCdiDevices));
  for (size_t i = 0; i < devices.size(); ++i) {
    if (!IsCdiQualifiedName(View(devices[i]))) {
      return Refuse(absl::StrCat(kField, "[", i, "].name"), "must be vendor/class=device");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckImageName(absl::string_view field, absl::string_view image) {
  BULKHEAD_RETURN_IF_ERROR(CheckName(field, image, kMaxImageBytes));
  if (LooksLikeImageId(image)) return absl::OkStatus();
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<schema::ImageReference>();
  BULKHEAD_RETURN_IF_ERROR(ParseReference(field, image, reference));
  if (FormatReference(reference) != image) return Refuse(field, "the name is not normalised");
  return absl::OkStatus();
}

absl::Status CheckMountsAndDevices(ContainerConfig::Reader config) {
  const auto mounts = config.getMounts();
  BULKHEAD_RETURN_IF_ERROR(CheckCount("config.mounts", mounts.size(), kMaxMounts));
  size_t images = 0;
  for (size_t i = 0; i < mounts.size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(CheckMount(absl::StrCat("config.mounts[", i, "]"), mounts[i]));
    images += mounts[i].getImage().size() != 0 ? 1 : 0;
  }
  if (images > kMaxImageMounts) {
    return Refuse("config.mounts", absl::StrCat("more than ", kMaxImageMounts, " images"));
  }
  BULKHEAD_RETURN_IF_ERROR(CheckCount("config.devices", config.getDevices().size(), kMaxDevices));
  for (size_t i = 0; i < config.getDevices().size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(
        CheckDevice(absl::StrCat("config.devices[", i, "]"), config.getDevices()[i]));
  }
  return CheckCdiDevices(config.getCdiDevices());
}

}  // namespace bulkhead::validate
