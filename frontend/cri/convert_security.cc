#include <sys/capability.h>

#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

using schema::SecurityContext;
using schema::SecurityProfile;
using validate::NotYet;
using validate::Refuse;

constexpr char kBase[] = "config.linux.security_context";

std::string In(absl::string_view field) { return absl::StrCat(kBase, ".", field); }

struct CapabilitySet {
  uint64_t mask = 0;
  bool all = false;
};

// Names with or without "CAP_", or "ALL".
absl::Status ToCapabilities(absl::string_view field, const Strings& in, CapabilitySet* out) {
  for (const std::string& given : in) {
    std::string name = absl::AsciiStrToUpper(given);
    if (name == "ALL") {
      out->all = true;
      continue;
    }
    if (!absl::StartsWith(name, "CAP_")) name = absl::StrCat("CAP_", name);
    cap_value_t number = 0;
    // The prefix keeps libcap from taking a number for a name.
    if (cap_from_name(name.c_str(), &number) != 0 || number < 0 || number > 63) {
      return Refuse(field, "unknown capability");
    }
    out->mask |= uint64_t{1} << number;
  }
  return absl::OkStatus();
}

absl::Status ToCapabilityMasks(const v1::Capability& in, SecurityContext::Builder out) {
  CapabilitySet add;
  CapabilitySet drop;
  BULKHEAD_RETURN_IF_ERROR(
      ToCapabilities(In("capabilities.add_capabilities"), in.add_capabilities(), &add));
  BULKHEAD_RETURN_IF_ERROR(
      ToCapabilities(In("capabilities.drop_capabilities"), in.drop_capabilities(), &drop));
  CapabilitySet ambient;
  constexpr absl::string_view kAmbient = "capabilities.add_ambient_capabilities";
  BULKHEAD_RETURN_IF_ERROR(ToCapabilities(In(kAmbient), in.add_ambient_capabilities(), &ambient));
  if (ambient.all) return Refuse(In(kAmbient), "\"ALL\" is not for ambient capabilities");
  out.setAmbientCapabilities(ambient.mask);
  out.setAddCapabilities(add.mask);
  out.setAddAllCapabilities(add.all);
  out.setDropCapabilities(drop.mask);
  out.setDropAllCapabilities(drop.all);
  return absl::OkStatus();
}

absl::Status ToNamespaces(const v1::NamespaceOption& in, SecurityContext::Builder out) {
  schema::NamespaceMode mode;
  BULKHEAD_RETURN_IF_ERROR(ToNamespaceMode(In("namespace_options.network"), in.network(), &mode));
  out.setNetwork(mode);
  BULKHEAD_RETURN_IF_ERROR(ToNamespaceMode(In("namespace_options.pid"), in.pid(), &mode));
  out.setPid(mode);
  BULKHEAD_RETURN_IF_ERROR(ToNamespaceMode(In("namespace_options.ipc"), in.ipc(), &mode));
  out.setIpc(mode);
  out.setTargetId(Text(in.target_id()));
  // The container is in its pod's user namespace, and may repeat which that is.
  BULKHEAD_RETURN_IF_ERROR(
      ToUserNamespace(In("namespace_options"), in, &mode, out.initIdMapping()));
  if (mode != schema::NamespaceMode::NODE && mode != schema::NamespaceMode::POD) {
    return Refuse(In("namespace_options.userns_options.mode"), "must be POD or NODE");
  }
  return absl::OkStatus();
}

absl::Status ToId(absl::string_view field, int64_t in, uint32_t* out) {
  if (in < 0 || in >= UINT32_MAX) return Refuse(field, "must be 0 to 4294967294");
  *out = static_cast<uint32_t>(in);
  return absl::OkStatus();
}

absl::Status ToUser(const v1::LinuxContainerSecurityContext& in, SecurityContext::Builder out) {
  uint32_t id = 0;
  if (in.has_run_as_user()) {
    BULKHEAD_RETURN_IF_ERROR(ToId(In("run_as_user"), in.run_as_user().value(), &id));
    out.setHasRunAsUser(true);
    out.setRunAsUser(id);
  }
  if (in.has_run_as_group()) {
    BULKHEAD_RETURN_IF_ERROR(ToId(In("run_as_group"), in.run_as_group().value(), &id));
    out.setHasRunAsGroup(true);
    out.setRunAsGroup(id);
  }
  out.setRunAsUsername(Text(in.run_as_username()));
  auto groups = out.initSupplementalGroups(in.supplemental_groups_size());
  for (int i = 0; i < in.supplemental_groups_size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(ToId(In("supplemental_groups"), in.supplemental_groups(i), &id));
    groups.set(i, id);
  }
  if (!v1::SupplementalGroupsPolicy_IsValid(in.supplemental_groups_policy())) {
    return Refuse(In("supplemental_groups_policy"), "unknown");
  }
  out.setStrictSupplementalGroups(in.supplemental_groups_policy() == v1::Strict);
  return absl::OkStatus();
}

// The older of the two fields, where the newer is not there.
absl::Status ToSeccompFromPath(absl::string_view path, SecurityContext::Builder out) {
  if (path.empty()) return absl::OkStatus();
  if (absl::ConsumePrefix(&path, "localhost/")) {
    out.setHasSeccomp(true);
    auto seccomp = out.initSeccomp();
    seccomp.setType(SecurityProfile::Type::LOCALHOST);
    std::string clean;
    BULKHEAD_RETURN_IF_ERROR(ToOptionalPath(In("seccomp_profile_path"), std::string(path), &clean));
    seccomp.setLocalhostRef(Text(clean));
    return absl::OkStatus();
  }
  const bool unconfined = path == "unconfined";
  if (!unconfined && path != "runtime/default" && path != "docker/default") {
    return Refuse(In("seccomp_profile_path"), "unknown");
  }
  out.setHasSeccomp(true);
  out.initSeccomp().setType(unconfined ? SecurityProfile::Type::UNCONFINED
                                       : SecurityProfile::Type::RUNTIME_DEFAULT);
  return absl::OkStatus();
}

absl::Status ToSeccomp(const v1::LinuxContainerSecurityContext& in, SecurityContext::Builder out) {
  if (!in.has_seccomp()) return ToSeccompFromPath(in.seccomp_profile_path(), out);
  if (!v1::SecurityProfile_ProfileType_IsValid(in.seccomp().profile_type())) {
    return Refuse(In("seccomp.profile_type"), "unknown");
  }
  out.setHasSeccomp(true);
  auto seccomp = out.initSeccomp();
  seccomp.setType(static_cast<SecurityProfile::Type>(in.seccomp().profile_type()));
  std::string path;
  BULKHEAD_RETURN_IF_ERROR(
      ToOptionalPath(In("seccomp.localhost_ref"), in.seccomp().localhost_ref(), &path));
  seccomp.setLocalhostRef(Text(path));
  return absl::OkStatus();
}

// Whether the node can give what is asked for is the broker's to say.
absl::Status ToMandatoryAccess(const v1::LinuxContainerSecurityContext& in,
                               SecurityContext::Builder out) {
  auto label = out.initSelinux();
  label.setUser(Text(in.selinux_options().user()));
  label.setRole(Text(in.selinux_options().role()));
  label.setType(Text(in.selinux_options().type()));
  label.setLevel(Text(in.selinux_options().level()));
  if (in.has_apparmor()) {
    if (in.apparmor().profile_type() != v1::SecurityProfile::Localhost) {
      return CheckAppArmor(In("apparmor"), true, in.apparmor());
    }
    if (in.apparmor().localhost_ref().empty()) {
      return Refuse(In("apparmor.localhost_ref"), "must not be empty");
    }
    out.setApparmorProfile(Text(in.apparmor().localhost_ref()));
    return absl::OkStatus();
  }
  absl::string_view older = in.apparmor_profile();
  if (older.empty() || older == "unconfined" || older == "runtime/default") {
    return absl::OkStatus();
  }
  if (!absl::ConsumePrefix(&older, "localhost/") || older.empty()) {
    return Refuse(In("apparmor_profile"), "unknown");
  }
  out.setApparmorProfile(Text(std::string(older)));
  return absl::OkStatus();
}

absl::Status ToPaths(absl::string_view field, const Strings& in,
                     capnp::List<capnp::Text>::Builder out) {
  for (int i = 0; i < in.size(); ++i) {
    const std::string each = absl::StrCat(field, "[", i, "]");
    std::string path;
    BULKHEAD_RETURN_IF_ERROR(ToOptionalPath(each, in[i], &path));
    if (path.empty()) return Refuse(each, "must not be empty");
    out.set(i, Text(path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckAppArmor(absl::string_view field, bool given, const v1::SecurityProfile& in) {
  // On a node without AppArmor its default profile is no profile, as the field's runtimes have it.
  if (!given || in.profile_type() == v1::SecurityProfile::RuntimeDefault ||
      in.profile_type() == v1::SecurityProfile::Unconfined) {
    return absl::OkStatus();
  }
  if (in.profile_type() == v1::SecurityProfile::Localhost) {
    return NotYet(field, "an AppArmor profile of the node");
  }
  return Refuse(absl::StrCat(field, ".profile_type"), "unknown");
}

absl::Status CheckSelinux(absl::string_view field, const v1::SELinuxOption& in) {
  if (in.user().empty() && in.role().empty() && in.type().empty() && in.level().empty()) {
    return absl::OkStatus();
  }
  return NotYet(field, "an SELinux label");
}

absl::Status ToNamespaceMode(absl::string_view field, v1::NamespaceMode in,
                             schema::NamespaceMode* out) {
  if (!v1::NamespaceMode_IsValid(in)) return Refuse(field, "unknown");
  *out = static_cast<schema::NamespaceMode>(in);
  return absl::OkStatus();
}

absl::Status ToIdMapping(const std::string& uids_field, const IdMappings& uids,
                         const std::string& gids_field, const IdMappings& gids,
                         schema::IdMapping::Builder out) {
  if (uids.empty() && gids.empty()) return absl::OkStatus();
  if (uids.size() != 1) return Refuse(uids_field, "must be one mapping");
  if (gids.size() != 1) return Refuse(gids_field, "must be one mapping");
  if (uids[0].container_id() != 0) return Refuse(uids_field, "must map id 0 of the container");
  if (uids[0].length() == 0) return Refuse(uids_field, "has no length");
  if (gids[0].container_id() != 0 || gids[0].host_id() != uids[0].host_id() ||
      gids[0].length() != uids[0].length()) {
    return Refuse(gids_field, "must be the same as that of the uids");
  }
  out.setHostId(uids[0].host_id());
  out.setLength(uids[0].length());
  return absl::OkStatus();
}

absl::Status ToUserNamespace(absl::string_view field, const v1::NamespaceOption& in,
                             schema::NamespaceMode* out, schema::IdMapping::Builder mapping) {
  *out = schema::NamespaceMode::NODE;
  if (!in.has_userns_options()) return absl::OkStatus();
  const v1::UserNamespace& options = in.userns_options();
  const std::string name = absl::StrCat(field, ".userns_options");
  BULKHEAD_RETURN_IF_ERROR(ToNamespaceMode(name + ".mode", options.mode(), out));
  if (*out == schema::NamespaceMode::NODE && options.uids_size() + options.gids_size() > 0) {
    return Refuse(name, "the node's user namespace has no mappings");
  }
  return ToIdMapping(name + ".uids", options.uids(), name + ".gids", options.gids(), mapping);
}

absl::Status ToSecurityContext(const v1::LinuxContainerSecurityContext& in,
                               SecurityContext::Builder out) {
  BULKHEAD_RETURN_IF_ERROR(ToCapabilityMasks(in.capabilities(), out));
  out.setPrivileged(in.privileged());
  BULKHEAD_RETURN_IF_ERROR(ToNamespaces(in.namespace_options(), out));
  BULKHEAD_RETURN_IF_ERROR(ToUser(in, out));
  out.setReadonlyRootfs(in.readonly_rootfs());
  out.setNoNewPrivs(in.no_new_privs());
  BULKHEAD_RETURN_IF_ERROR(ToMandatoryAccess(in, out));
  BULKHEAD_RETURN_IF_ERROR(ToSeccomp(in, out));
  BULKHEAD_RETURN_IF_ERROR(
      ToPaths(In("masked_paths"), in.masked_paths(), out.initMaskedPaths(in.masked_paths_size())));
  return ToPaths(In("readonly_paths"), in.readonly_paths(),
                 out.initReadonlyPaths(in.readonly_paths_size()));
}

}  // namespace bulkhead::frontend
