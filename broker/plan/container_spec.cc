#include "broker/plan/container_spec.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "broker/plan/process.h"

namespace bulkhead::broker {
namespace {

using Source = schema::ContainerSpec::Namespaces::Source;

// Without a parent from kubelet (crictl, `bulkhead run`).
constexpr char kDefaultParent[] = "/bulkhead-pods";
constexpr char kDefaultSlice[] = "system.slice";

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

void PlanMounts(schema::ContainerConfig::Reader config, schema::ContainerSpec::Builder out) {
  auto mounts = config.getMounts();
  auto planned = out.initMounts(mounts.size());
  for (unsigned i = 0; i < mounts.size(); ++i) {
    planned[i].setDestination(mounts[i].getContainerPath());
    planned[i].setVolume(i);
    planned[i].setReadOnly(mounts[i].getReadonly());
    planned[i].setRecursiveReadOnly(mounts[i].getRecursiveReadOnly());
    planned[i].setPropagation(mounts[i].getPropagation());
  }
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

std::string PlanCgroup(schema::Config::Reader node, schema::PodConfig::Reader pod,
                       absl::string_view container_id) {
  absl::string_view parent = pod.getCgroupParent().cStr();
  if (node.getHost().getCgroupDriver() == schema::Host::CgroupDriver::SYSTEMD) {
    return absl::StrCat(parent.empty() ? kDefaultSlice : parent, ":bulkhead:", container_id);
  }
  return absl::StrCat(parent.empty() ? kDefaultParent : parent, "/", container_id);
}

absl::StatusOr<RuntimeChoice> ChooseRuntime(schema::Config::Reader node,
                                            absl::string_view handler) {
  absl::string_view wanted = handler.empty() ? node.getDefaultRuntime().cStr() : handler;
  for (auto runtime : node.getRuntimes()) {
    if (wanted != runtime.getName().cStr()) continue;
    if (runtime.getType() != schema::Runtime::Type::OCI) {
      return absl::UnimplementedError(
          absl::StrCat("runtime_handler: ", wanted, " is of a type that cannot be launched yet"));
    }
    if (runtime.getVersion().size() == 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          "runtime ", wanted, ": ", runtime.getPath().cStr(), " is missing or does not run"));
    }
    return RuntimeChoice{.name = std::string(wanted),
                         .path = runtime.getPath().cStr(),
                         .rule = handler.empty() ? "default" : "handler"};
  }
  return absl::InvalidArgumentError(absl::StrCat("runtime_handler: no runtime \"", wanted, "\""));
}

absl::Status PlanContainer(const ContainerInputs& in, schema::ContainerSpec::Builder out) {
  auto security = in.config.getSecurity();
  BULKHEAD_RETURN_IF_ERROR(PlanProcess(in, out.initProcess()));
  BULKHEAD_RETURN_IF_ERROR(PlanNamespaces(in, out.initNamespaces()));
  out.setIdMapping(in.pod.getIdMapping());
  PlanMounts(in.config, out);
  out.setReadOnlyRootfs(security.getReadonlyRootfs());
  out.setCgroup(PlanCgroup(in.node, in.pod.getConfig(), in.container_id));
  out.setResources(in.config.getResources());
  out.setDevices(in.config.getDevices());
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
  out.setNoNewPrivileges(process.getNoNewPrivileges());
  out.setOomScoreAdj(process.getOomScoreAdj());
  out.setSeccomp(process.getSeccomp());
  return absl::OkStatus();
}

}  // namespace bulkhead::broker
