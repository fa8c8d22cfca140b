#include "validate/security_context.h"

#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "validate/text.h"

namespace bulkhead::validate {
namespace {

using schema::NamespaceMode;
using schema::SecurityContext;
using schema::SecurityProfile;

constexpr char kBase[] = "config.linux.security_context";
constexpr int kLastCapability = 40;  // CAP_CHECKPOINT_RESTORE
constexpr uint64_t kAllCapabilities = (uint64_t{1} << (kLastCapability + 1)) - 1;
constexpr uint32_t kNoId = UINT32_MAX;  // what the kernel takes for "unchanged"
constexpr size_t kMaxUsernameBytes = 255;
constexpr size_t kMaxGroups = 65536;  // NGROUPS_MAX
constexpr size_t kMaxPaths = 1024;
constexpr size_t kMaxLabelBytes = 4096;

std::string In(absl::string_view field) { return absl::StrCat(kBase, ".", field); }

absl::Status CheckCapabilities(SecurityContext::Reader security) {
  if ((security.getAddCapabilities() & ~kAllCapabilities) != 0) {
    return Refuse(In("capabilities.add_capabilities"), "unknown capability");
  }
  if ((security.getDropCapabilities() & ~kAllCapabilities) != 0) {
    return Refuse(In("capabilities.drop_capabilities"), "unknown capability");
  }
  if ((security.getAmbientCapabilities() & ~kAllCapabilities) != 0) {
    return Refuse(In("capabilities.add_ambient_capabilities"), "unknown capability");
  }
  return absl::OkStatus();
}

absl::Status CheckNamespaces(SecurityContext::Reader security) {
  const auto pod_or_node = [](NamespaceMode mode) {
    return mode == NamespaceMode::POD || mode == NamespaceMode::NODE;
  };
  if (!pod_or_node(security.getNetwork())) {
    return Refuse(In("namespace_options.network"), "must be POD or NODE");
  }
  if (!pod_or_node(security.getIpc())) {
    return Refuse(In("namespace_options.ipc"), "must be POD or NODE");
  }
  if (!IsKnown(security.getPid(), NamespaceMode::TARGET)) {
    return Refuse(In("namespace_options.pid"), "unknown");
  }
  const absl::string_view target = View(security.getTargetId());
  const bool wanted = security.getPid() == NamespaceMode::TARGET;
  if (wanted && !base::IsIdPrefix(target)) {
    return Refuse(In("namespace_options.target_id"), "must be the id of a container");
  }
  if (!wanted && !target.empty()) {
    return Refuse(In("namespace_options.target_id"), "only with pid TARGET");
  }
  return absl::OkStatus();
}

absl::Status CheckUser(SecurityContext::Reader security) {
  const absl::string_view name = View(security.getRunAsUsername());
  if (security.getHasRunAsUser() && !name.empty()) {
    return Refuse(In("run_as_username"), "not together with run_as_user");
  }
  if (security.getHasRunAsGroup() && !security.getHasRunAsUser() && name.empty()) {
    return Refuse(In("run_as_group"), "needs run_as_user or run_as_username");
  }
  if (security.getHasRunAsUser() && security.getRunAsUser() == kNoId) {
    return Refuse(In("run_as_user"), "not a user id");
  }
  if (security.getHasRunAsGroup() && security.getRunAsGroup() == kNoId) {
    return Refuse(In("run_as_group"), "not a group id");
  }
  BULKHEAD_RETURN_IF_ERROR(CheckLine(In("run_as_username"), name, kMaxUsernameBytes));
  // It is looked up in /etc/passwd, where a colon ends the name.
  if (absl::StrContains(name, ':')) return Refuse(In("run_as_username"), "holds a colon");
  const auto groups = security.getSupplementalGroups();
  BULKHEAD_RETURN_IF_ERROR(CheckCount(In("supplemental_groups"), groups.size(), kMaxGroups));
  for (const uint32_t group : groups) {
    if (group == kNoId) return Refuse(In("supplemental_groups"), "not a group id");
  }
  return absl::OkStatus();
}

absl::Status CheckPaths(absl::string_view field, capnp::List<capnp::Text>::Reader paths) {
  BULKHEAD_RETURN_IF_ERROR(CheckCount(field, paths.size(), kMaxPaths));
  for (size_t i = 0; i < paths.size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(CheckPath(absl::StrCat(field, "[", i, "]"), View(paths[i])));
  }
  return absl::OkStatus();
}

absl::Status CheckSeccomp(SecurityContext::Reader security) {
  const SecurityProfile::Reader seccomp = security.getSeccomp();
  if (!IsKnown(seccomp.getType(), SecurityProfile::Type::LOCALHOST)) {
    return Refuse(In("seccomp.profile_type"), "unknown");
  }
  if (seccomp.getType() == SecurityProfile::Type::LOCALHOST) {
    // Nothing here would mean no filter (V24).
    return CheckPath(In("seccomp.localhost_ref"), View(seccomp.getLocalhostRef()));
  }
  if (seccomp.getLocalhostRef().size() != 0) {
    return Refuse(In("seccomp.localhost_ref"), "only with profile type Localhost");
  }
  return absl::OkStatus();
}

absl::Status CheckMandatoryAccess(SecurityContext::Reader security) {
  const auto label = security.getSelinux();
  for (const auto part : {label.getUser(), label.getRole(), label.getType(), label.getLevel()}) {
    BULKHEAD_RETURN_IF_ERROR(CheckLine(In("selinux_options"), View(part), kMaxLabelBytes));
  }
  return CheckLine(In("apparmor.localhost_ref"), View(security.getApparmorProfile()),
                   kMaxLabelBytes);
}

}  // namespace

absl::Status CheckSecurityContext(SecurityContext::Reader security) {
  BULKHEAD_RETURN_IF_ERROR(CheckCapabilities(security));
  BULKHEAD_RETURN_IF_ERROR(CheckNamespaces(security));
  BULKHEAD_RETURN_IF_ERROR(CheckUser(security));
  BULKHEAD_RETURN_IF_ERROR(CheckPaths(In("masked_paths"), security.getMaskedPaths()));
  BULKHEAD_RETURN_IF_ERROR(CheckPaths(In("readonly_paths"), security.getReadonlyPaths()));
  BULKHEAD_RETURN_IF_ERROR(CheckMandatoryAccess(security));
  return CheckSeccomp(security);
}

}  // namespace bulkhead::validate
