#include <capnp/message.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/common/cgroup_limits.h"
#include "worker/lxc/parts.h"

namespace bulkhead::lxc {
namespace {

using nlohmann::json;

// What every container has, as OCI runtimes allow it: nodes may be made, and the harmless ones
// used.
constexpr const char* kAlwaysAllowed[] = {
    "c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",
    "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm",
};

absl::Status AddDevices(const json& rules, const std::string& prefix, Lines* lines) {
  const std::string allow = absl::StrCat(prefix, "devices.allow");
  if (rules.size() == 1 && rules[0]["allow"].get<bool>()) return lines->Add(allow, "a");
  BULKHEAD_RETURN_IF_ERROR(lines->Add(absl::StrCat(prefix, "devices.deny"), "a"));
  for (const char* rule : kAlwaysAllowed) BULKHEAD_RETURN_IF_ERROR(lines->Add(allow, rule));
  for (const json& rule : rules) {
    if (!rule["allow"].get<bool>()) continue;
    BULKHEAD_RETURN_IF_ERROR(lines->Add(
        allow,
        absl::StrCat(rule["type"].get<std::string>(), " ", rule["major"].get<unsigned>(), ":",
                     rule["minor"].get<unsigned>(), " ", rule["access"].get<std::string>())));
  }
  return absl::OkStatus();
}

absl::Status AddLimits(const Inputs& in, const std::string& prefix, Lines* lines) {
  capnp::MallocMessageBuilder message;
  message.setRoot(in.spec.getResources());
  auto resources = message.getRoot<schema::Resources>();
  // Silence on swap is no leave to use it.
  if (resources.getMemorySwapLimit() == 0) {
    resources.setMemorySwapLimit(resources.getMemoryLimit());
  }
  const auto limits = in.facts.cgroup_v2 ? cgroup::LimitsV2(resources.asReader())
                                         : cgroup::LimitsV1(resources.asReader());
  for (const cgroup::Limit& limit : limits) {
    if (limit.controller == "hugetlb" && !in.facts.has_hugetlb) continue;
    if (limit.field == absl::string_view("memory_swap_limit_in_bytes") &&
        !in.facts.has_swap_limit) {
      continue;
    }
    BULKHEAD_RETURN_IF_ERROR(lines->Add(absl::StrCat(prefix, limit.file), limit.value,
                                        absl::StrCat("config.linux.resources.", limit.field)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AddResources(const Inputs& in, Lines* lines) {
  const json& linux = in.config["linux"];
  BULKHEAD_RETURN_IF_ERROR(
      OnlyKnown(linux, "linux.",
                {"namespaces", "cgroupsPath", "resources", "devices", "rootfsPropagation",
                 "maskedPaths", "readonlyPaths", "seccomp"}));
  BULKHEAD_RETURN_IF_ERROR(OnlyKnown(linux["resources"], "linux.resources.",
                                     {"devices", "memory", "cpu", "hugepageLimits", "unified"}));
  const std::string prefix = in.facts.cgroup_v2 ? "lxc.cgroup2." : "lxc.cgroup.";
  // From the root of each hierarchy, where the library's process is for that moment.
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.cgroup.relative", "1"));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.cgroup.dir.container", in.cgroup.substr(1)));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.cgroup.dir.monitor", KeeperCgroup(in.cgroup).substr(1)));
  const std::string pivot = PivotCgroup(in.cgroup).substr(1);
  BULKHEAD_RETURN_IF_ERROR(
      lines->Add("lxc.cgroup.dir.monitor.pivot", pivot.substr(0, pivot.rfind('/'))));
  BULKHEAD_RETURN_IF_ERROR(AddDevices(linux["resources"]["devices"], prefix, lines));
  return AddLimits(in, prefix, lines);
}

}  // namespace bulkhead::lxc
