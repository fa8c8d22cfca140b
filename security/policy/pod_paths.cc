#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "security/policy/pod_policy.h"
#include "security/policy/pod_refusal.h"

namespace bulkhead::security {
namespace {

// All that Kubernetes has hidden since procMount exists; what later versions add is not asked for.
constexpr absl::string_view kMasked[] = {
    "/proc/acpi",       "/proc/kcore",       "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"};
constexpr absl::string_view kReadOnly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                           "/proc/sysrq-trigger"};

bool IsComponent(absl::string_view text) {
  return !text.empty() && text != "." && text != ".." && !absl::StrContains(text, '/');
}

// kubelet keeps a pod's volumes, hosts file and termination messages there.
std::string OwnDirectory(const PodPolicy& policy, absl::string_view uid) {
  if (policy.kubelet_root.empty() || !IsComponent(uid)) return "";
  return absl::StrCat(policy.kubelet_root == "/" ? "" : policy.kubelet_root, "/pods/", uid);
}

bool Covers(absl::Span<const std::string> paths, absl::Span<const absl::string_view> needed) {
  return std::all_of(needed.begin(), needed.end(), [&](absl::string_view one) {
    return std::any_of(paths.begin(), paths.end(),
                       [&](const std::string& path) { return LiesBelow(path, one); });
  });
}

}  // namespace

bool LiesBelow(absl::string_view prefix, absl::string_view path) {
  if (prefix == "/" || prefix == path) return true;
  return !prefix.empty() && absl::ConsumePrefix(&path, prefix) && absl::StartsWith(path, "/");
}

absl::StatusOr<GrantedPath> CheckHostPath(const PodPolicy& policy, absl::string_view uid,
                                          absl::string_view field, absl::string_view path,
                                          bool read_only) {
  for (const PathRule& rule : policy.host_paths) {
    if (rule.prefix == "/" && !rule.read_only) return GrantedPath{"/", std::string(path.substr(1))};
  }
  const PathRule* best = nullptr;
  const PathRule own = {.prefix = OwnDirectory(policy, uid)};
  const auto consider = [&](const PathRule& rule) {
    if (!LiesBelow(rule.prefix, path) || (rule.read_only && !read_only)) return;
    if (best == nullptr || rule.prefix.size() > best->prefix.size()) best = &rule;
  };
  if (!own.prefix.empty()) consider(own);
  for (const PathRule& rule : policy.host_paths) consider(rule);
  if (best == nullptr) return Refuse(policy, field, path, "host_paths");
  absl::string_view below = path.substr(best->prefix.size());
  absl::ConsumePrefix(&below, "/");  // of "/" itself it is gone already
  return GrantedPath{best->prefix, std::string(below), best->read_only};
}

bool IsProcUnmasked(absl::Span<const std::string> masked, absl::Span<const std::string> read_only) {
  return !Covers(masked, kMasked) || !Covers(read_only, kReadOnly);
}

}  // namespace bulkhead::security
