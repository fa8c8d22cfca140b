#include <string>

#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/status.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "validate/container.h"
#include "validate/mount_options.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

using schema::ContainerConfig;
using validate::NotYet;
using validate::Refuse;

// Where the mount shows an image's files. image: the name under which the store knows it.
absl::Status ToImageMount(const std::string& field, const v1::Mount& in, const std::string& image,
                          schema::Mount::Builder out) {
  if (!in.host_path().empty()) return Refuse(field + ".host_path", "not together with image");
  out.setImage(Text(image));
  out.setUserSpecifiedImage(Text(in.image().user_specified_image()));
  if (in.image_sub_path().empty()) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(
      const std::string path,
      base::CleanRelativePath(field + ".image_sub_path", in.image_sub_path()));
  out.setImageSubPath(Text(path));
  return absl::OkStatus();
}

absl::Status ToHostMount(const std::string& field, const v1::Mount& in,
                         schema::Mount::Builder out) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string outside,
                            base::CleanAbsolutePath(field + ".host_path", in.host_path()));
  out.setHostPath(Text(outside));
  out.setImageSubPath(Text(in.image_sub_path()));
  return absl::OkStatus();
}

absl::Status ToMountOptions(const std::string& field, const v1::Mount& in,
                            schema::Mount::Builder out) {
  uint64_t options = 0;
  for (const std::string& word : in.mount_options()) {
    if (!validate::AddMountOption(word, &options)) {
      return Refuse(field + ".mount_options", "not an option that a mount may have here");
    }
  }
  out.setOptions(options);
  return absl::OkStatus();
}

absl::Status ToMount(const std::string& field, const v1::Mount& in, const std::string& image,
                     schema::Mount::Builder out) {
  if (!v1::MountPropagation_IsValid(in.propagation())) {
    return Refuse(field + ".propagation", "unknown");
  }
  BULKHEAD_ASSIGN_OR_RETURN(
      const std::string inside,
      base::CleanAbsolutePath(field + ".container_path", in.container_path()));
  out.setContainerPath(Text(inside));
  BULKHEAD_RETURN_IF_ERROR(in.has_image() ? ToImageMount(field, in, image, out)
                                          : ToHostMount(field, in, out));
  BULKHEAD_RETURN_IF_ERROR(ToMountOptions(field, in, out));
  out.setReadonly(in.readonly());
  out.setPropagation(static_cast<schema::Mount::Propagation>(in.propagation()));
  out.setRecursiveReadOnly(in.recursive_read_only());
  out.setSelinuxRelabel(in.selinux_relabel());
  return ToIdMapping(field + ".uidMappings", in.uidmappings(), field + ".gidMappings",
                     in.gidmappings(), out.initIdMapping());
}

absl::Status ToDevice(const std::string& field, const v1::Device& in, schema::Device::Builder out) {
  BULKHEAD_ASSIGN_OR_RETURN(
      const std::string inside,
      base::CleanAbsolutePath(field + ".container_path", in.container_path()));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string outside,
                            base::CleanAbsolutePath(field + ".host_path", in.host_path()));
  out.setContainerPath(Text(inside));
  out.setHostPath(Text(outside));
  out.setPermissions(Text(in.permissions()));
  return absl::OkStatus();
}

std::string NameOf(const StoreNames& names, int mount) {
  const auto found = names.mounts.find(mount);
  return found == names.mounts.end() ? std::string() : found->second;
}

absl::Status ToMountsAndDevices(const v1::ContainerConfig& in, const StoreNames& names,
                                ContainerConfig::Builder out) {
  auto mounts = out.initMounts(in.mounts_size());
  for (int i = 0; i < in.mounts_size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(
        ToMount(absl::StrCat("config.mounts[", i, "]"), in.mounts(i), NameOf(names, i), mounts[i]));
  }
  auto devices = out.initDevices(in.devices_size());
  for (int i = 0; i < in.devices_size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(
        ToDevice(absl::StrCat("config.devices[", i, "]"), in.devices(i), devices[i]));
  }
  auto cdi = out.initCdiDevices(in.cdi_devices_size());
  for (int i = 0; i < in.cdi_devices_size(); ++i) cdi.set(i, Text(in.cdi_devices(i).name()));
  return absl::OkStatus();
}

void ToProcess(const v1::ContainerConfig& in, ContainerConfig::Builder out) {
  ToTexts(in.command(), [&](unsigned size) { return out.initCommand(size); });
  ToTexts(in.args(), [&](unsigned size) { return out.initArgs(size); });
  auto envs = out.initEnvs(in.envs_size());
  for (int i = 0; i < in.envs_size(); ++i) {
    envs[i].setKey(Text(in.envs(i).key()));
    envs[i].setValue(Bytes(in.envs(i).value()));
  }
  out.setStdin(in.stdin());
  out.setStdinOnce(in.stdin_once());
  out.setTty(in.tty());
}

absl::Status ToPathsAndSignal(const v1::ContainerConfig& in, ContainerConfig::Builder out) {
  std::string path;
  BULKHEAD_RETURN_IF_ERROR(ToOptionalPath("config.working_dir", in.working_dir(), &path));
  out.setWorkingDir(Text(path));
  if (!in.log_path().empty()) {
    BULKHEAD_ASSIGN_OR_RETURN(path, base::CleanRelativePath("config.log_path", in.log_path()));
    out.setLogPath(Text(path));
  }
  int signal = 0;
  BULKHEAD_RETURN_IF_ERROR(ToSignal("config.stop_signal", in.stop_signal(), &signal));
  out.setStopSignal(signal);
  return absl::OkStatus();
}

}  // namespace

absl::Status ToContainerConfig(const v1::ContainerConfig& in, const StoreNames& names,
                               ContainerConfig::Builder out) {
  if (in.has_windows()) return Refuse("config.windows", "this node runs Linux containers");
  out.setName(Text(in.metadata().name()));
  out.setAttempt(in.metadata().attempt());
  out.setImage(Text(names.image));
  out.setUserSpecifiedImage(Text(in.image().user_specified_image()));
  ToProcess(in, out);
  BULKHEAD_RETURN_IF_ERROR(ToPathsAndSignal(in, out));
  BULKHEAD_RETURN_IF_ERROR(ToMountsAndDevices(in, names, out));
  ToLabels(in.labels(), [&](unsigned size) { return out.initLabels(size); });
  ToLabels(in.annotations(), [&](unsigned size) { return out.initAnnotations(size); });
  ToResources(in.linux().resources(), out.initResources());
  BULKHEAD_RETURN_IF_ERROR(ToSecurityContext(in.linux().security_context(), out.initSecurity()));
  return validate::CheckContainerConfig(out.asReader());
}

}  // namespace bulkhead::frontend
