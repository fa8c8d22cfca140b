#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "validate/pod.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

using schema::PodConfig;
using schema::PortMapping;
using validate::Refuse;

constexpr char kLinux[] = "config.linux";
constexpr char kSecurity[] = "config.linux.security_context";
constexpr char kNamespaces[] = "config.linux.security_context.namespace_options";
constexpr int kMaxPort = 65535;

absl::Status ToPortMapping(const std::string& field, const v1::PortMapping& in,
                           PortMapping::Builder out) {
  if (!v1::Protocol_IsValid(in.protocol())) return Refuse(field + ".protocol", "unknown");
  if (in.container_port() < 1 || in.container_port() > kMaxPort) {
    return Refuse(field + ".container_port", "must be 1 to 65535");
  }
  if (in.host_port() < 0 || in.host_port() > kMaxPort) {
    return Refuse(field + ".host_port", "must be 0 to 65535");
  }
  out.setProtocol(static_cast<PortMapping::Protocol>(in.protocol()));
  out.setContainerPort(static_cast<uint16_t>(in.container_port()));
  out.setHostPort(static_cast<uint16_t>(in.host_port()));
  out.setHostIp(Text(in.host_ip()));
  return absl::OkStatus();
}

absl::Status ToPortMappings(const v1::PodSandboxConfig& in, PodConfig::Builder out) {
  auto list = out.initPortMappings(in.port_mappings_size());
  for (int i = 0; i < in.port_mappings_size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(
        ToPortMapping(absl::StrCat("config.port_mappings[", i, "]"), in.port_mappings(i), list[i]));
  }
  return absl::OkStatus();
}

absl::Status ToNamespaces(const v1::NamespaceOption& in, PodConfig::Builder out) {
  const std::string field = kNamespaces;
  schema::NamespaceMode mode;
  BULKHEAD_RETURN_IF_ERROR(ToNamespaceMode(field + ".network", in.network(), &mode));
  out.setNetwork(mode);
  BULKHEAD_RETURN_IF_ERROR(ToNamespaceMode(field + ".pid", in.pid(), &mode));
  out.setPid(mode);
  BULKHEAD_RETURN_IF_ERROR(ToNamespaceMode(field + ".ipc", in.ipc(), &mode));
  out.setIpc(mode);
  if (!in.target_id().empty()) return Refuse(field + ".target_id", "a pod joins no container");
  BULKHEAD_RETURN_IF_ERROR(ToUserNamespace(field, in, &mode, out.initIdMapping()));
  out.setUserNamespace(mode);
  return absl::OkStatus();
}

// A pod here has no process of its own: its namespaces are pinned. So what only such a process
// would obey (its user, groups, read-only rootfs and seccomp) changes nothing; each container
// brings its own.
absl::Status ToPodSecurity(const v1::LinuxSandboxSecurityContext& in, PodConfig::Builder out) {
  if (in.has_run_as_group() && !in.has_run_as_user()) {
    return Refuse(absl::StrCat(kSecurity, ".run_as_group"), "needs run_as_user");
  }
  if (!v1::SupplementalGroupsPolicy_IsValid(in.supplemental_groups_policy())) {
    return Refuse(absl::StrCat(kSecurity, ".supplemental_groups_policy"), "unknown");
  }
  BULKHEAD_RETURN_IF_ERROR(
      CheckSelinux(absl::StrCat(kSecurity, ".selinux_options"), in.selinux_options()));
  BULKHEAD_RETURN_IF_ERROR(
      CheckAppArmor(absl::StrCat(kSecurity, ".apparmor"), in.has_apparmor(), in.apparmor()));

  out.setPrivileged(in.privileged());
  return ToNamespaces(in.namespace_options(), out);
}

absl::Status ToPodLinux(const v1::LinuxPodSandboxConfig& in, PodConfig::Builder out) {
  std::string parent = in.cgroup_parent();
  if (absl::StartsWith(parent, "/")) {
    BULKHEAD_RETURN_IF_ERROR(
        ToOptionalPath(absl::StrCat(kLinux, ".cgroup_parent"), in.cgroup_parent(), &parent));
  }
  out.setCgroupParent(Text(parent));
  ToResources(in.overhead(), out.initOverhead());
  ToResources(in.resources(), out.initResources());
  ToLabels(in.sysctls(), [&](unsigned size) { return out.initSysctls(size); });
  return ToPodSecurity(in.security_context(), out);
}

}  // namespace

absl::Status ToPodConfig(const v1::PodSandboxConfig& in, const std::string& handler,
                         PodConfig::Builder out) {
  if (in.has_windows()) return Refuse("config.windows", "this node runs Linux pods");
  out.setName(Text(in.metadata().name()));
  out.setUid(Text(in.metadata().uid()));
  out.setNamespace(Text(in.metadata().namespace_()));
  out.setAttempt(in.metadata().attempt());
  out.setHostname(Text(in.hostname()));
  std::string log_directory;
  BULKHEAD_RETURN_IF_ERROR(
      ToOptionalPath("config.log_directory", in.log_directory(), &log_directory));
  out.setLogDirectory(Text(log_directory));

  const v1::DNSConfig& dns = in.dns_config();
  ToTexts(dns.servers(), [&](unsigned size) { return out.initDnsServers(size); });
  ToTexts(dns.searches(), [&](unsigned size) { return out.initDnsSearches(size); });
  ToTexts(dns.options(), [&](unsigned size) { return out.initDnsOptions(size); });
  BULKHEAD_RETURN_IF_ERROR(ToPortMappings(in, out));
  ToLabels(in.labels(), [&](unsigned size) { return out.initLabels(size); });
  ToLabels(in.annotations(), [&](unsigned size) { return out.initAnnotations(size); });
  BULKHEAD_RETURN_IF_ERROR(ToPodLinux(in.linux(), out));
  out.setHandler(Text(handler));
  return validate::CheckPodConfig(out.asReader());
}

}  // namespace bulkhead::frontend
