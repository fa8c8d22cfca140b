#include <sys/mount.h>

#include <algorithm>
#include <initializer_list>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/status.h"
#include "validate/mount_options.h"
#include "worker/container/config_parts.h"

namespace bulkhead::container {
namespace {

using nlohmann::json;
using Source = schema::ContainerSpec::Namespaces::Source;

json MakeMount(const std::string& destination, const char* type, const std::string& source,
               std::initializer_list<const char*> options) {
  json list = json::array();
  for (const char* option : options) list.push_back(option);
  return {{"destination", destination}, {"type", type}, {"source", source}, {"options", list}};
}

json Shm(schema::ContainerSpec::Reader spec, const Facts& facts) {
  const Source ipc = spec.getNamespaces().getIpc();
  if (spec.getPodFiles() && ipc == Source::POD) {
    return MakeMount("/dev/shm", "bind", absl::StrCat(facts.pod_directory, "/shm"),
                     {"rbind", "rprivate", "nosuid", "nodev", "noexec"});
  }
  if (ipc == Source::HOST) {
    return MakeMount("/dev/shm", "bind", "/dev/shm", {"rbind", "rprivate", "nosuid", "nodev"});
  }
  return MakeMount("/dev/shm", "tmpfs", "shm",
                   {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"});
}

// What every container finds, as Kubernetes' users know it.
std::vector<json> StandardMounts(schema::ContainerSpec::Reader spec, const Facts& facts) {
  const char* system = spec.getCgroupWritable() ? "rw" : "ro";
  return {
      MakeMount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
      MakeMount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      MakeMount("/dev/pts", "devpts", "devpts",
                {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
      MakeMount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
      Shm(spec, facts),
      MakeMount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", system}),
      MakeMount("/sys/fs/cgroup", "cgroup", "cgroup",
                {"nosuid", "noexec", "nodev", "relatime", system}),
  };
}

json PodFile(schema::ContainerSpec::Reader spec, const Facts& facts, const char* name) {
  return MakeMount(
      absl::StrCat("/etc/", name), "bind", absl::StrCat(facts.pod_directory, "/", name),
      {"rbind", "rprivate", "nosuid", "nodev", spec.getReadOnlyRootfs() ? "ro" : "rw"});
}

const char* PropagationOption(schema::Mount::Propagation propagation) {
  switch (propagation) {
    case schema::Mount::Propagation::HOST_TO_CONTAINER:
      return "rslave";
    case schema::Mount::Propagation::BIDIRECTIONAL:
      return "rshared";
    case schema::Mount::Propagation::PRIVATE:
      break;
  }
  return "rprivate";
}

absl::StatusOr<json> Volume(schema::ContainerSpec::Mount::Reader mount, const Facts& facts) {
  const std::string destination = mount.getDestination();
  if (!base::IsCleanAbsolutePath(destination) || destination == "/") {
    return absl::InvalidArgumentError("mount destination: not a clean absolute path");
  }
  if (mount.getVolume() >= facts.volumes) {
    return absl::InvalidArgumentError(absl::StrCat("mount ", destination, ": no such volume"));
  }
  if (!validate::AreMountOptions(mount.getOptions())) {
    return absl::InvalidArgumentError(absl::StrCat("mount ", destination, ": unknown options"));
  }
  json out = MakeMount(
      destination, "bind", absl::StrCat(facts.bundle, "/mounts/", mount.getVolume()),
      {"rbind", PropagationOption(mount.getPropagation()), mount.getReadOnly() ? "ro" : "rw"});
  // The volume has them already, but a runtime that makes a mount read-only sets all anew.
  for (const char* word : validate::MountOptionWords(mount.getOptions() & ~MOUNT_ATTR_RDONLY)) {
    out["options"].push_back(word);
  }
  return out;
}

bool IsAtOrBelow(absl::string_view path, absl::string_view directory) {
  return path == directory || absl::StartsWith(path, absl::StrCat(directory, "/"));
}

// A volume takes the place of a standard mount at the same path, and one at /dev of all that lies
// below.
bool IsReplaced(const json& standard, const std::vector<json>& volumes) {
  const std::string& path = standard["destination"].get_ref<const std::string&>();
  return std::any_of(volumes.begin(), volumes.end(), [&](const json& volume) {
    const std::string& taken = volume["destination"].get_ref<const std::string&>();
    return path == taken || (taken == "/dev" && IsAtOrBelow(path, taken));
  });
}

bool IsCovered(const json& file, const std::vector<json>& volumes) {
  const std::string& path = file["destination"].get_ref<const std::string&>();
  return std::any_of(volumes.begin(), volumes.end(), [&](const json& volume) {
    return IsAtOrBelow(path, volume["destination"].get_ref<const std::string&>());
  });
}

// Parents before children; of equals, the later one in the list lies on top.
void SortByDepth(std::vector<json>* mounts) {
  const auto depth = [](const json& mount) {
    const std::string& path = mount["destination"].get_ref<const std::string&>();
    return std::count(path.begin(), path.end(), '/');
  };
  std::stable_sort(mounts->begin(), mounts->end(),
                   [&](const json& a, const json& b) { return depth(a) < depth(b); });
}

}  // namespace

absl::StatusOr<json> MountsArray(schema::ContainerSpec::Reader spec, const Facts& facts) {
  std::vector<json> volumes;
  for (schema::ContainerSpec::Mount::Reader mount : spec.getMounts()) {
    BULKHEAD_ASSIGN_OR_RETURN(json volume, Volume(mount, facts));
    volumes.push_back(std::move(volume));
  }
  std::vector<json> all;
  for (json& standard : StandardMounts(spec, facts)) {
    if (!IsReplaced(standard, volumes)) all.push_back(standard);
  }
  std::vector<json> files;
  if (spec.getPodFiles() && facts.has_resolv_conf) {
    files.push_back(PodFile(spec, facts, "resolv.conf"));
  }
  if (spec.getPodFiles() && facts.has_hostname) files.push_back(PodFile(spec, facts, "hostname"));
  for (json& file : files) {
    if (!IsCovered(file, volumes)) all.push_back(file);
  }
  all.insert(all.end(), volumes.begin(), volumes.end());
  SortByDepth(&all);
  return json(all);
}

}  // namespace bulkhead::container
