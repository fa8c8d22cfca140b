#include <string>

#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/status.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "validate/container.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

using schema::ContainerConfig;
using validate::NotYet;
using validate::Refuse;

absl::Status CheckMountIsCarried(const std::string& field, const v1::Mount& in) {
  if (in.has_image() || !in.image_sub_path().empty()) {
    return NotYet(field + ".image", "a mount of an image");
  }
  if (in.mount_options_size() > 0) return NotYet(field + ".mount_options", "a mount option");
  if (!v1::MountPropagation_IsValid(in.propagation())) {
    return Refuse(field + ".propagation", "unknown");
  }
  // selinux_relabel asks for a label that a node without SELinux does not keep: nothing is to be
  // done.
  return absl::OkStatus();
}

absl::Status ToMount(const std::string& field, const v1::Mount& in, schema::Mount::Builder out) {
  BULKHEAD_RETURN_IF_ERROR(CheckMountIsCarried(field, in));
  BULKHEAD_ASSIGN_OR_RETURN(
      const std::string inside,
      base::CleanAbsolutePath(field + ".container_path", in.container_path()));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string outside,
                            base::CleanAbsolutePath(field + ".host_path", in.host_path()));
  out.setContainerPath(Text(inside));
  out.setHostPath(Text(outside));
  out.setReadonly(in.readonly());
  out.setPropagation(static_cast<schema::Mount::Propagation>(in.propagation()));
  out.setRecursiveReadOnly(in.recursive_read_only());
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

absl::Status ToMountsAndDevices(const v1::ContainerConfig& in, ContainerConfig::Builder out) {
  auto mounts = out.initMounts(in.mounts_size());
  for (int i = 0; i < in.mounts_size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(
        ToMount(absl::StrCat("config.mounts[", i, "]"), in.mounts(i), mounts[i]));
  }
  auto devices = out.initDevices(in.devices_size());
  for (int i = 0; i < in.devices_size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(
        ToDevice(absl::StrCat("config.devices[", i, "]"), in.devices(i), devices[i]));
  }
  if (in.cdi_devices_size() > 0) return NotYet("config.CDI_devices", "a CDI device");
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

absl::Status ToContainerConfig(const v1::ContainerConfig& in, const std::string& image,
                               ContainerConfig::Builder out) {
  if (in.has_windows()) return Refuse("config.windows", "this node runs Linux containers");
  out.setName(Text(in.metadata().name()));
  out.setAttempt(in.metadata().attempt());
  out.setImage(Text(image));
  out.setUserSpecifiedImage(Text(in.image().user_specified_image()));
  ToProcess(in, out);
  BULKHEAD_RETURN_IF_ERROR(ToPathsAndSignal(in, out));
  BULKHEAD_RETURN_IF_ERROR(ToMountsAndDevices(in, out));
  ToLabels(in.labels(), [&](unsigned size) { return out.initLabels(size); });
  ToLabels(in.annotations(), [&](unsigned size) { return out.initAnnotations(size); });
  ToResources(in.linux().resources(), out.initResources());
  BULKHEAD_RETURN_IF_ERROR(ToSecurityContext(in.linux().security_context(), out.initSecurity()));
  return validate::CheckContainerConfig(out.asReader());
}

}  // namespace bulkhead::frontend
