#include "broker/plan/mounts.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/status.h"
#include "validate/mounts.h"

namespace bulkhead::broker {
namespace {

constexpr size_t kMaxOwnVolumes = 32;

bool IsImage(schema::Mount::Reader mount) { return mount.getImage().size() > 0; }

template <typename List>
bool HasMountAt(List mounts, const std::string& path) {
  for (auto mount : mounts) {
    if (path == mount.getContainerPath().cStr()) return true;
  }
  return false;
}

// The image's author wrote it: it must not replace what the runtime puts into every container.
absl::StatusOr<std::string> CheckOwnVolume(const char* text) {
  absl::StatusOr<std::string> path = base::CleanAbsolutePath("image: VOLUME", text);
  if (!path.ok()) return absl::FailedPreconditionError(path.status().message());
  for (absl::string_view taken : {"/proc", "/sys", "/dev"}) {
    if (*path == taken || absl::StartsWith(*path, absl::StrCat(taken, "/"))) {
      return absl::FailedPreconditionError(absl::StrCat("image: VOLUME: below ", taken));
    }
  }
  if (*path == "/") return absl::FailedPreconditionError("image: VOLUME: the root");
  return path;
}

void PlanOne(const char* destination, size_t volume, schema::ContainerSpec::Mount::Builder out) {
  out.setDestination(destination);
  out.setVolume(static_cast<uint16_t>(volume));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> PlanOwnVolumes(schema::ContainerConfig::Reader config,
                                                        schema::CdiEdits::Reader cdi,
                                                        schema::ImageConfig::Reader image) {
  std::vector<std::string> own;
  for (auto declared : image.getVolumes()) {
    BULKHEAD_ASSIGN_OR_RETURN(std::string path, CheckOwnVolume(declared.cStr()));
    const bool twice = std::find(own.begin(), own.end(), path) != own.end();
    const bool taken = HasMountAt(config.getMounts(), path) || HasMountAt(cdi.getMounts(), path);
    if (!twice && !taken) own.push_back(std::move(path));
  }
  if (own.size() > kMaxOwnVolumes ||
      CountMounts(config, cdi, own.size()) > validate::kMaxMountsInAll) {
    return absl::ResourceExhaustedError(
        absl::StrCat("config.mounts: with those of the image and its devices more than ",
                     validate::kMaxMountsInAll));
  }
  return own;
}

size_t CountMounts(schema::ContainerConfig::Reader config, schema::CdiEdits::Reader cdi,
                   size_t own_volumes) {
  return config.getMounts().size() + cdi.getMounts().size() + own_volumes;
}

void FillMounts(schema::Container::Reader record, schema::CdiEdits::Reader cdi, size_t own_volumes,
                schema::MountJob::Builder job) {
  const auto mounts = record.getConfig().getMounts();
  const auto images = record.getImageMounts();
  auto volumes = job.initVolumes(mounts.size() - images.size() + cdi.getMounts().size());
  unsigned next = 0;
  for (auto mount : mounts) {
    if (IsImage(mount)) continue;
    auto volume = volumes[next++];
    volume.setHostPath(mount.getHostPath());
    volume.setReadOnly(mount.getReadonly());
    volume.setRecursiveReadOnly(mount.getRecursiveReadOnly());
    volume.setIdMapped(mount.getIdMapping().getLength() > 0);
    volume.setRecursive(true);
    volume.setOptions(mount.getOptions());
  }
  for (auto mount : cdi.getMounts()) {
    auto volume = volumes[next++];
    volume.setHostPath(mount.getHostPath());
    volume.setReadOnly(mount.getReadonly());
    volume.setOptions(mount.getOptions());
  }
  auto image_volumes = job.initImages(images.size());
  for (unsigned i = 0; i < images.size(); ++i) {
    const auto mount = mounts[images[i].getMount()];
    image_volumes[i].setLayers(images[i].getLayers());
    image_volumes[i].setSubPath(mount.getImageSubPath());
    image_volumes[i].setOptions(mount.getOptions());
  }
  job.setOwnVolumes(static_cast<uint16_t>(own_volumes));
}

void PlanMounts(schema::ContainerConfig::Reader config, schema::CdiEdits::Reader cdi,
                const std::vector<std::string>& own_volumes, schema::ContainerSpec::Builder out) {
  const auto mounts = config.getMounts();
  auto planned = out.initMounts(CountMounts(config, cdi, own_volumes.size()));
  size_t images = 0;
  for (auto mount : mounts) images += IsImage(mount) ? 1 : 0;
  size_t next_host = 0, next_image = mounts.size() - images + cdi.getMounts().size();
  for (unsigned i = 0; i < mounts.size(); ++i) {
    PlanOne(mounts[i].getContainerPath().cStr(), IsImage(mounts[i]) ? next_image++ : next_host++,
            planned[i]);
    planned[i].setReadOnly(mounts[i].getReadonly());
    planned[i].setRecursiveReadOnly(mounts[i].getRecursiveReadOnly());
    // Nothing is ever mounted in an image.
    if (!IsImage(mounts[i])) planned[i].setPropagation(mounts[i].getPropagation());
    planned[i].setOptions(mounts[i].getOptions());
  }
  unsigned at = mounts.size();
  for (auto mount : cdi.getMounts()) {
    PlanOne(mount.getContainerPath().cStr(), next_host++, planned[at]);
    planned[at].setReadOnly(mount.getReadonly());
    planned[at++].setOptions(mount.getOptions());
  }
  for (const std::string& path : own_volumes) PlanOne(path.c_str(), next_image++, planned[at++]);
}

}  // namespace bulkhead::broker
