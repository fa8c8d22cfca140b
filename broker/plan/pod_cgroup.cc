#include "broker/plan/pod_cgroup.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/cgroup_path.h"
#include "base/status.h"

namespace bulkhead::broker {
namespace {

// Without a parent from kubelet (crictl, `bulkhead run`).
constexpr char kDefaultParent[] = "/bulkhead-pods";
constexpr char kDefaultSlice[] = "bulkhead.slice";
constexpr absl::string_view kSlice = ".slice";
constexpr size_t kLeastOwnName = 8;
constexpr size_t kMostNameBytes = 255;
constexpr char kField[] = "config.linux.cgroup_parent";

absl::Status Unfit(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(kField, ": ", why));
}

// Too short to tell one pod from another, or no name of a directory: then it is not taken for
// kubelet's.
bool CanName(absl::string_view own) {
  return own.size() >= kLeastOwnName && !absl::StrContains(own, "/");
}

absl::StatusOr<std::string> OnFileSystem(absl::string_view parent, absl::string_view own,
                                         absl::string_view id) {
  if (parent.empty()) parent = kDefaultParent;
  if (parent[0] != '/') return Unfit("a slice, but this node's cgroups are not systemd's");
  if (CanName(own) && absl::EndsWith(parent, absl::StrCat("/", own))) return std::string(parent);
  return absl::StrCat(absl::StripSuffix(parent, "/"), "/", id);
}

absl::StatusOr<std::string> OfSystemd(absl::string_view parent, absl::string_view own,
                                      absl::string_view id) {
  // kubelet gives the path; the last name spells it all.
  absl::string_view slice = parent.substr(parent.rfind('/') + 1);
  if (slice.empty()) slice = kDefaultSlice;
  if (!absl::ConsumeSuffix(&slice, kSlice)) {
    return Unfit("not a .slice, but this node's cgroups are systemd's");
  }
  const bool is_pods = CanName(own) && absl::EndsWith(slice, absl::StrCat("-", own));
  const std::string name =
      is_pods ? absl::StrCat(slice, kSlice) : absl::StrCat(slice, "-pod", id, kSlice);
  if (PathOfPodCgroup(name).empty() || name.size() > kMostNameBytes)
    return Unfit("not a slice's name");
  return name;
}

// One of two limits that count together; 0 is none, and so is less than 0.
int64_t Sum(int64_t resources, int64_t overhead) {
  if (resources <= 0) return resources;
  return resources + std::max<int64_t>(0, overhead);
}

bool SameHugepages(schema::Resources::Reader a, schema::Resources::Reader b) {
  const auto map = [](schema::Resources::Reader r) {
    std::map<std::string, uint64_t> limits;
    for (auto limit : r.getHugepageLimits()) limits[limit.getPageSize()] = limit.getLimit();
    return limits;
  };
  return map(a) == map(b);
}

bool SameUnified(schema::Resources::Reader a, schema::Resources::Reader b) {
  const auto map = [](schema::Resources::Reader r) {
    std::map<std::string, std::string> values;
    for (auto entry : r.getUnified()) values[entry.getKey()] = entry.getValue();
    return values;
  };
  return map(a) == map(b);
}

}  // namespace

absl::StatusOr<std::string> PlanPodCgroup(schema::Config::Reader node,
                                          schema::PodConfig::Reader pod, absl::string_view pod_id) {
  const bool systemd = node.getHost().getCgroupDriver() == schema::Host::CgroupDriver::SYSTEMD;
  const absl::string_view parent = pod.getCgroupParent().cStr();
  const std::string own = OwnPodName(pod, systemd);
  return systemd ? OfSystemd(parent, own, pod_id) : OnFileSystem(parent, own, pod_id);
}

std::string OwnPodName(schema::PodConfig::Reader pod, bool of_systemd) {
  const std::string uid = pod.getUid();
  // A dash in a slice's name would be one more level.
  return absl::StrCat("pod", of_systemd ? absl::StrReplaceAll(uid, {{"-", "_"}}) : uid);
}

std::string PathOfPodCgroup(const std::string& name) {
  if (absl::StartsWith(name, "/")) return name;
  const absl::StatusOr<std::string> scope = base::CgroupPath(absl::StrCat(name, ":a:b"));
  return scope.ok() ? scope->substr(0, scope->rfind('/')) : "";
}

void AddUp(schema::Resources::Reader resources, schema::Resources::Reader overhead,
           schema::Resources::Builder out) {
  out.setCpuShares(resources.getCpuShares() + overhead.getCpuShares());
  out.setMemoryLimit(Sum(resources.getMemoryLimit(), overhead.getMemoryLimit()));
  out.setMemorySwapLimit(Sum(resources.getMemorySwapLimit(), overhead.getMemorySwapLimit()));
  out.setCpuPeriod(resources.getCpuPeriod());
  // Quotas of different periods are brought to the first one's.
  int64_t more = std::max<int64_t>(0, overhead.getCpuQuota());
  if (overhead.getCpuPeriod() > 0 && resources.getCpuPeriod() > 0) {
    more = static_cast<int64_t>(static_cast<double>(more) / overhead.getCpuPeriod() *
                                resources.getCpuPeriod());
  }
  out.setCpuQuota(Sum(resources.getCpuQuota(), more));
  out.setCpusetCpus(resources.getCpusetCpus());
  out.setCpusetMems(resources.getCpusetMems());
  out.setHugepageLimits(resources.getHugepageLimits());
  out.setUnified(resources.getUnified());
}

absl::Status PlanUpdate(schema::Host::CgroupMode mode, schema::Resources::Reader now,
                        schema::Resources::Reader asked, schema::Resources::Builder merged,
                        schema::Resources::Builder change) {
  if (asked.getUnified().size() > 0 && mode != schema::Host::CgroupMode::V2) {
    return absl::InvalidArgumentError("linux.unified: this node has cgroup v1");
  }
  const auto pick = [](int64_t asked_for, int64_t is) { return asked_for != 0 ? asked_for : is; };
  const int64_t shares = pick(asked.getCpuShares(), now.getCpuShares());
  const int64_t period = pick(asked.getCpuPeriod(), now.getCpuPeriod());
  const int64_t quota = pick(asked.getCpuQuota(), now.getCpuQuota());
  const int64_t memory = pick(asked.getMemoryLimit(), now.getMemoryLimit());
  const int64_t swap = pick(asked.getMemorySwapLimit(), now.getMemorySwapLimit());
  merged.setCpuShares(shares);
  merged.setCpuPeriod(period);
  merged.setCpuQuota(quota);
  merged.setMemoryLimit(memory);
  merged.setMemorySwapLimit(swap);
  // Of processes, not of the cgroup: kubelet repeats it with every update, for the next start.
  merged.setOomScoreAdj(now.getOomScoreAdj());
  const bool cpus = asked.getCpusetCpus().size() > 0, mems = asked.getCpusetMems().size() > 0;
  merged.setCpusetCpus(cpus ? asked.getCpusetCpus() : now.getCpusetCpus());
  merged.setCpusetMems(mems ? asked.getCpusetMems() : now.getCpusetMems());
  const bool pages = asked.getHugepageLimits().size() > 0, unified = asked.getUnified().size() > 0;
  merged.setHugepageLimits(pages ? asked.getHugepageLimits() : now.getHugepageLimits());
  merged.setUnified(unified ? asked.getUnified() : now.getUnified());

  if (shares != now.getCpuShares()) change.setCpuShares(shares);
  // Each of these pairs is one value to the kernel.
  if (quota != now.getCpuQuota() || period != now.getCpuPeriod()) {
    change.setCpuQuota(quota);
    change.setCpuPeriod(period);
  }
  if (memory != now.getMemoryLimit() || swap != now.getMemorySwapLimit()) {
    change.setMemoryLimit(memory);
    // Silence on swap is no leave to use it, as when the container was made.
    change.setMemorySwapLimit(swap != 0 ? swap : memory);
  }
  if (cpus && asked.getCpusetCpus() != now.getCpusetCpus())
    change.setCpusetCpus(asked.getCpusetCpus());
  if (mems && asked.getCpusetMems() != now.getCpusetMems())
    change.setCpusetMems(asked.getCpusetMems());
  if (pages && !SameHugepages(asked, now)) change.setHugepageLimits(asked.getHugepageLimits());
  if (unified && !SameUnified(asked, now)) change.setUnified(asked.getUnified());
  return absl::OkStatus();
}

}  // namespace bulkhead::broker
