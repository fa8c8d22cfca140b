#include "broker/plan/container_spec.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "broker/plan/mounts.h"
#include "broker/plan/process.h"

namespace bulkhead::broker {
namespace {

using Source = schema::ContainerSpec::Namespaces::Source;

Source SourceOf(schema::NamespaceMode mode, Source otherwise) {
  return mode == schema::NamespaceMode::NODE ? Source::HOST : otherwise;
}

absl::Status PlanNamespaces(const ContainerInputs& in,
                            schema::ContainerSpec::Namespaces::Builder out) {
  auto pod = in.pod.getConfig();
  auto security = in.config.getSecurity();
  out.setNetwork(SourceOf(pod.getNetwork(), Source::POD));
  out.setIpc(SourceOf(pod.getIpc(), Source::POD));
  // A host-network pod has the node's name, as its peers on that network expect.
  out.setUts(SourceOf(pod.getNetwork(), Source::POD));
  out.setUser(in.pod.getIdMapping().getLength() > 0 ? Source::POD : Source::HOST);
  switch (security.getPid()) {
    case schema::NamespaceMode::NODE:
      out.setPid(Source::HOST);
      break;
    case schema::NamespaceMode::TARGET:
      out.setPid(Source::TARGET);
      break;
    case schema::NamespaceMode::POD:
      if (pod.getPid() != schema::NamespaceMode::POD) {
        return absl::InvalidArgumentError(
            "config.linux.security_context.namespace_options.pid: the pod shares no PID namespace");
      }
      out.setPid(Source::TARGET);  // the pod's init
      break;
    default:
      out.setPid(Source::OWN);
  }
  // Network and IPC are the pod's, whatever the container leaves unsaid; but it cannot say more
  // than the pod.
  auto exceeds = [](schema::NamespaceMode container, schema::NamespaceMode pod) {
    return container == schema::NamespaceMode::NODE && pod != schema::NamespaceMode::NODE;
  };
  if (exceeds(security.getNetwork(), pod.getNetwork())) {
    return absl::InvalidArgumentError(
        "config.linux.security_context.namespace_options.network: the pod's is not the node's");
  }
  if (exceeds(security.getIpc(), pod.getIpc())) {
    return absl::InvalidArgumentError(
        "config.linux.security_context.namespace_options.ipc: the pod's is not the node's");
  }
  return absl::OkStatus();
}

// A node that has neither can keep to no label and no profile. A label is then nobody's to give, and CRI's runtimes
// leave it out; a profile that somebody names is a promise, so its absence is an error.
absl::Status PlanMandatoryAccess(const ContainerInputs& in) {
  auto security = in.config.getSecurity();
  auto label = security.getSelinux();
  bool labelled = label.getUser().size() + label.getRole().size() + label.getType().size() +
                      label.getLevel().size() >
                  0;
  if (labelled && in.node.getHost().getSelinux()) {
    return absl::UnimplementedError(
        "config.linux.security_context.selinux_options: an SELinux label is not supported yet");
  }
  if (security.getApparmorProfile().size() == 0 || security.getPrivileged()) {
    return absl::OkStatus();
  }
  constexpr absl::string_view kField = "config.linux.security_context.apparmor: ";
  if (in.node.getHost().getApparmor()) {
    return absl::UnimplementedError(
        absl::StrCat(kField, "an AppArmor profile of the node is not supported yet"));
  }
  return absl::FailedPreconditionError(absl::StrCat(kField, "this node's kernel has no AppArmor"));
}

// A container says nothing, or what its pod said.
absl::Status CheckMapping(absl::string_view field, schema::IdMapping::Reader asked,
                          schema::IdMapping::Reader pod) {
  if (asked.getLength() == 0) return absl::OkStatus();
  if (asked.getHostId() == pod.getHostId() && asked.getLength() == pod.getLength()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(field, ": not that of the pod's user namespace"));
}

}  // namespace

absl::Status CheckMappings(schema::Pod::Reader pod_record, schema::ContainerConfig::Reader config) {
  auto pod = pod_record.getIdMapping();
  BULKHEAD_RETURN_IF_ERROR(
      CheckMapping("config.linux.security_context.namespace_options.userns_options.uids",
                   config.getSecurity().getIdMapping(), pod));
  auto mounts = config.getMounts();
  for (unsigned i = 0; i < mounts.size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(CheckMapping(absl::StrCat("config.mounts[", i, "].uidMappings"),
                                          mounts[i].getIdMapping(), pod));
  }
  return absl::OkStatus();
}

std::string PlanCgroup(schema::Pod::Reader pod, absl::string_view container_id) {
  absl::string_view parent = pod.getCgroup().cStr();
  if (absl::StartsWith(parent, "/")) return absl::StrCat(parent, "/", container_id);
  return absl::StrCat(parent, ":bulkhead:", container_id);
}

absl::Status PlanContainer(const ContainerInputs& in, schema::ContainerSpec::Builder out) {
  auto security = in.config.getSecurity();
  BULKHEAD_RETURN_IF_ERROR(PlanProcess(in, out.initProcess()));
  BULKHEAD_RETURN_IF_ERROR(PlanNamespaces(in, out.initNamespaces()));
  BULKHEAD_RETURN_IF_ERROR(PlanMandatoryAccess(in));
  out.setIdMapping(in.pod.getIdMapping());
  PlanMounts(in.config, in.cdi, in.own_volumes, out);
  out.setReadOnlyRootfs(security.getReadonlyRootfs());
  out.setCgroup(PlanCgroup(in.pod, in.container_id));
  out.setResources(in.config.getResources());
  out.setDevices(in.config.getDevices());
  out.setCdiDevices(in.cdi.getDevices());
  out.setHooks(in.cdi.getHooks());
  if (out.getProcess().getSeccomp().getType() == schema::SecurityProfile::Type::LOCALHOST) {
    out.setSeccompFilter(in.seccomp);
  }
  out.setAllDevices(security.getPrivileged());
  out.setCgroupWritable(security.getPrivileged());
  if (!security.getPrivileged()) {
    out.setMaskedPaths(security.getMaskedPaths());
    out.setReadonlyPaths(security.getReadonlyPaths());
  }
  absl::string_view directory = in.pod.getConfig().getLogDirectory().cStr();
  absl::string_view log = in.config.getLogPath().cStr();
  if (!directory.empty() && !log.empty()) out.setLogPath(absl::StrCat(directory, "/", log));
  out.setStdin(in.config.getStdin());
  out.setStdinOnce(in.config.getStdinOnce());
  out.setPodFiles(true);
  return absl::OkStatus();
}

absl::Status PlanExec(schema::ContainerSpec::Reader spec, capnp::List<capnp::Text>::Reader argv,
                      schema::Process::Builder out) {
  auto process = spec.getProcess();
  out.setArgs(argv);
  out.setEnv(process.getEnv());
  out.setCwd(process.getCwd());
  out.setUser(process.getUser());
  out.setCapabilities(process.getCapabilities());
  out.setAmbient(process.getAmbient());
  out.setNoNewPrivileges(process.getNoNewPrivileges());
  out.setOomScoreAdj(process.getOomScoreAdj());
  out.setSeccomp(process.getSeccomp());
  return absl::OkStatus();
}

}  // namespace bulkhead::broker
