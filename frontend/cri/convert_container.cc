#include <string>

#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"

namespace bulkhead::frontend {
namespace {

using schema::Container;

void FromMetadata(schema::ContainerConfig::Reader in, v1::ContainerMetadata* out) {
  out->set_name(String(in.getName()));
  out->set_attempt(in.getAttempt());
}

v1::ContainerState FromState(Container::State state) {
  switch (state) {
    case Container::State::CREATED:
      return v1::CONTAINER_CREATED;
    case Container::State::RUNNING:
      return v1::CONTAINER_RUNNING;
    case Container::State::EXITED:
      return v1::CONTAINER_EXITED;
    case Container::State::UNKNOWN:
      break;
  }
  return v1::CONTAINER_UNKNOWN;
}

void FromMounts(Container::Reader container, v1::ContainerStatus* out) {
  const auto mounts = container.getConfig().getMounts();
  for (const auto mount : mounts) {
    v1::Mount* added = out->add_mounts();
    added->set_container_path(String(mount.getContainerPath()));
    added->set_host_path(String(mount.getHostPath()));
    added->set_readonly(mount.getReadonly());
    added->set_propagation(
        static_cast<v1::MountPropagation>(static_cast<int>(mount.getPropagation())));
    added->set_recursive_read_only(mount.getRecursiveReadOnly());
    added->set_selinux_relabel(mount.getSelinuxRelabel());
    added->set_image_sub_path(String(mount.getImageSubPath()));
  }
  for (const auto image : container.getImageMounts()) {
    if (image.getMount() >= mounts.size()) continue;
    const auto mount = mounts[image.getMount()];
    v1::ImageSpec* spec = out->mutable_mounts(static_cast<int>(image.getMount()))->mutable_image();
    spec->set_image(String(mount.getImage()));
    spec->set_user_specified_image(String(mount.getUserSpecifiedImage()));
    spec->set_image_ref(String(image.getImageId()));
  }
}

void FromUser(schema::UserIds::Reader in, v1::LinuxContainerUser* out) {
  out->set_uid(in.getUid());
  out->set_gid(in.getGid());
  for (const uint32_t gid : in.getAdditionalGids()) out->add_supplemental_groups(gid);
}

// What people know the image by: a tag where it has one, else what the request said.
void FromImageName(Container::Reader in, schema::Image::Reader image, v1::ImageSpec* out) {
  const auto tags = image.getRepoTags();
  out->set_image(tags.size() > 0 ? String(tags[0]) : String(in.getConfig().getImage()));
  out->set_user_specified_image(String(in.getConfig().getUserSpecifiedImage()));
}

}  // namespace

void FromContainer(Container::Reader in, v1::Container* out) {
  const auto config = in.getConfig();
  out->set_id(String(in.getId()));
  out->set_pod_sandbox_id(String(in.getPodId()));
  FromMetadata(config, out->mutable_metadata());
  out->mutable_image()->set_image(String(config.getImage()));
  out->mutable_image()->set_user_specified_image(String(config.getUserSpecifiedImage()));
  out->set_image_ref(String(in.getImageRef()));
  out->set_image_id(String(in.getImageId()));
  out->set_state(FromState(in.getState()));
  out->set_created_at(in.getCreatedAtNs());
  FromLabels(config.getLabels(), out->mutable_labels());
  FromLabels(config.getAnnotations(), out->mutable_annotations());
}

void FromContainerStatus(Container::Reader in, schema::Image::Reader image,
                         v1::ContainerStatus* out) {
  const auto config = in.getConfig();
  out->set_id(String(in.getId()));
  FromMetadata(config, out->mutable_metadata());
  out->set_state(FromState(in.getState()));
  out->set_created_at(in.getCreatedAtNs());
  out->set_started_at(in.getStartedAtNs());
  out->set_finished_at(in.getFinishedAtNs());
  out->set_exit_code(in.getExitCode());
  out->set_reason(String(in.getReason()));
  out->set_message(String(in.getMessage()));
  FromImageName(in, image, out->mutable_image());
  out->set_image_ref(String(in.getImageRef()));
  out->set_image_id(String(in.getImageId()));
  FromLabels(config.getLabels(), out->mutable_labels());
  FromLabels(config.getAnnotations(), out->mutable_annotations());
  FromMounts(in, out);
  out->set_log_path(String(in.getLogPath()));
  FromResources(in.getResources(), out->mutable_resources()->mutable_linux());
  FromUser(in.getUser(), out->mutable_user()->mutable_linux());
  out->set_stop_signal(FromSignal(in.getStopSignal()));
}

}  // namespace bulkhead::frontend
