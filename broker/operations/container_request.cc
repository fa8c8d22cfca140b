#include "broker/operations/container_request.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"

namespace bulkhead::broker {

// The container's image; NOT_FOUND names the field whose image the node has not.
absl::StatusOr<const Record<schema::Image>*> CheckImages(Broker& broker,
                                                         schema::ContainerConfig::Reader config) {
  auto mounts = config.getMounts();
  for (unsigned i = 0; i < mounts.size(); ++i) {
    kj::StringPtr name = mounts[i].getImage();
    if (name.size() == 0 || broker.state.FindImage(name.cStr()) != nullptr) continue;
    return absl::NotFoundError(absl::StrCat("config.mounts[", i, "].image.image: ", name.cStr(),
                                            ": not present on the node"));
  }
  const Record<schema::Image>* found = broker.state.FindImage(config.getImage().cStr());
  if (found != nullptr) return found;
  return absl::NotFoundError(
      absl::StrCat("config.image: ", config.getImage().cStr(), ": not present on the node"));
}

// A caller that means another pod than it names must not get a container there.
absl::Status CheckIdentity(schema::PodConfig::Reader pod, schema::PodIdentity::Reader meant) {
  if (meant.getName().size() == 0) return absl::OkStatus();
  if (meant.getName() == pod.getName() && meant.getNamespace() == pod.getNamespace() &&
      meant.getUid() == pod.getUid() && meant.getAttempt() == pod.getAttempt()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "sandbox_config.metadata: not of the pod sandbox that pod_sandbox_id names");
}

absl::StatusOr<RuntimeChoice> ChooseFor(Broker& broker, const PodObject& pod,
                                        schema::ContainerConfig::Reader config,
                                        schema::Image::Reader image) {
  ImageNamesForRules names = {.user_specified = config.getUserSpecifiedImage().cStr()};
  for (auto tag : image.getRepoTags()) names.tags.emplace_back(tag.cStr());
  BULKHEAD_ASSIGN_OR_RETURN(
      RuntimeChoice choice,
      ChooseRuntime(broker.config, pod.record.read().getConfig().getHandler().cStr(), names));
  if (choice.rule != "default") {
    base::Log(base::Severity::kInfo, "runtime chosen",
              {{"pod", pod.id},
               {"container", config.getName().cStr()},
               {"runtime", choice.name},
               {"by", choice.rule}});
  }
  return choice;
}

// Which images the mounts show; all of them are there (CheckImages).
void FillImageMounts(Broker& broker, schema::ContainerConfig::Reader config,
                     schema::Container::Builder record) {
  std::vector<unsigned> mounts;
  for (unsigned i = 0; i < config.getMounts().size(); ++i) {
    if (config.getMounts()[i].getImage().size() > 0) mounts.push_back(i);
  }
  auto list = record.initImageMounts(mounts.size());
  for (unsigned i = 0; i < mounts.size(); ++i) {
    auto image = broker.state.FindImage(config.getMounts()[mounts[i]].getImage().cStr())->read();
    list[i].setMount(mounts[i]);
    list[i].setImageId(image.getId());
    list[i].setLayers(image.getConfig().getDiffIds());
  }
}

}  // namespace bulkhead::broker
