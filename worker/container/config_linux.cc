#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/status.h"
#include "security/workload/seccomp.h"
#include "worker/container/config_parts.h"

namespace bulkhead::container {
namespace {

using nlohmann::json;
using Source = schema::ContainerSpec::Namespaces::Source;
using Propagation = schema::Mount::Propagation;

// Adds one namespace: none for the node's, one by path for the pod's.
void AddNamespace(json* list, const char* type, Source source, const std::string& path) {
  if (source == Source::HOST) return;
  json entry = {{"type", type}};
  if (source != Source::OWN) entry["path"] = path;
  list->push_back(std::move(entry));
}

absl::StatusOr<json> Namespaces(schema::ContainerSpec::Reader spec, const Facts& facts) {
  const auto ns = spec.getNamespaces();
  for (Source source : {ns.getNetwork(), ns.getIpc(), ns.getUts()}) {
    if (source == Source::TARGET) {
      return absl::InvalidArgumentError("namespaces: only pid can be another container's");
    }
  }
  if (ns.getPid() == Source::POD) {
    return absl::InvalidArgumentError(
        "namespaces: no pin of a pid namespace; its init is a target");
  }
  json list = json::array();
  AddNamespace(&list, "mount", Source::OWN, "");
  if (ns.getUser() != Source::HOST && ns.getUser() != Source::POD) {
    return absl::InvalidArgumentError("namespaces: user must be the node's or the pod's");
  }
  AddNamespace(&list, "user", ns.getUser(), absl::StrCat(facts.pod_directory, "/user"));
  AddNamespace(&list, "network", ns.getNetwork(), absl::StrCat(facts.pod_directory, "/net"));
  AddNamespace(&list, "ipc", ns.getIpc(), absl::StrCat(facts.pod_directory, "/ipc"));
  AddNamespace(&list, "uts", ns.getUts(), absl::StrCat(facts.pod_directory, "/uts"));
  AddNamespace(&list, "pid", ns.getPid(), absl::StrCat("/proc/", facts.target_pid, "/ns/pid"));
  // On v1 the runtime binds the container's own cgroups, and programs read their paths from
  // /proc/self/cgroup.
  if (facts.cgroup_v2 && !spec.getCgroupWritable()) {
    AddNamespace(&list, "cgroup", Source::OWN, "");
  }
  return list;
}

absl::StatusOr<json> Paths(const char* field, capnp::List<capnp::Text>::Reader paths) {
  json list = json::array();
  for (capnp::Text::Reader path : paths) {
    if (!base::IsCleanAbsolutePath(path.cStr())) {
      return absl::InvalidArgumentError(absl::StrCat(field, ": not a clean absolute path"));
    }
    list.push_back(path.cStr());
  }
  return list;
}

json Devices(const Facts& facts) {
  json list = json::array();
  for (const DeviceFacts& device : facts.devices) {
    list.push_back({{"path", device.path},
                    {"type", std::string(1, device.type)},
                    {"major", device.major},
                    {"minor", device.minor},
                    {"fileMode", device.mode},
                    {"uid", device.uid},
                    {"gid", device.gid}});
  }
  return list;
}

// A volume receives or sends mounts only where the root does not cut it off.
const char* RootPropagation(schema::ContainerSpec::Reader spec) {
  const char* needed = "rprivate";
  for (schema::ContainerSpec::Mount::Reader mount : spec.getMounts()) {
    if (mount.getPropagation() == Propagation::BIDIRECTIONAL) return "rshared";
    if (mount.getPropagation() == Propagation::HOST_TO_CONTAINER) needed = "rslave";
  }
  return needed;
}

}  // namespace

absl::StatusOr<json> LinuxObject(schema::ContainerSpec::Reader spec, const Facts& facts) {
  json out;
  BULKHEAD_ASSIGN_OR_RETURN(out["namespaces"], Namespaces(spec, facts));
  out["cgroupsPath"] = spec.getCgroup().cStr();
  out["resources"] = ResourcesObject(spec, facts);
  out["devices"] = Devices(facts);
  out["rootfsPropagation"] = RootPropagation(spec);
  BULKHEAD_ASSIGN_OR_RETURN(out["maskedPaths"], Paths("masked path", spec.getMaskedPaths()));
  BULKHEAD_ASSIGN_OR_RETURN(out["readonlyPaths"], Paths("read-only path", spec.getReadonlyPaths()));
  const schema::Process::Reader process = spec.getProcess();
  switch (process.getSeccomp().getType()) {
    case schema::SecurityProfile::Type::RUNTIME_DEFAULT:
      out["seccomp"] = security::DefaultSeccomp(process.getCapabilities() & facts.bounding);
      return out;
    case schema::SecurityProfile::Type::UNCONFINED:
      return out;
    case schema::SecurityProfile::Type::LOCALHOST: {
      BULKHEAD_ASSIGN_OR_RETURN(out["seccomp"], SeccompObject(spec.getSeccompFilter()));
      return out;
    }
  }
  return absl::InvalidArgumentError("seccomp: unknown type");
}

}  // namespace bulkhead::container
