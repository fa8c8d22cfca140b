#include "worker/common/cgroup_limits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/cgroup.h"

namespace bulkhead::cgroup {
namespace {

std::string OrMax(int64_t value) { return value < 0 ? "max" : absl::StrCat(value); }

// "memory" of "memory.high".
std::string ControllerOf(absl::string_view file) {
  return std::string(file.substr(0, file.find('.')));
}

void Add(std::vector<Limit>* limits, const char* field, absl::string_view file, std::string value,
         bool optional = false) {
  limits->push_back({field, ControllerOf(file), std::string(file), std::move(value), optional});
}

void AddCpusets(schema::Resources::Reader resources, std::vector<Limit>* limits) {
  const std::string cpus = resources.getCpusetCpus(), mems = resources.getCpusetMems();
  if (!cpus.empty()) Add(limits, "cpuset_cpus", "cpuset.cpus", cpus);
  if (!mems.empty()) Add(limits, "cpuset_mems", "cpuset.mems", mems);
}

void AddHugepages(schema::Resources::Reader resources, const char* suffix,
                  std::vector<Limit>* limits) {
  for (schema::HugepageLimit::Reader limit : resources.getHugepageLimits()) {
    Add(limits, "hugepage_limits", absl::StrCat("hugetlb.", limit.getPageSize().cStr(), suffix),
        absl::StrCat(limit.getLimit()), true);
  }
}

}  // namespace

std::vector<Limit> LimitsV1(schema::Resources::Reader resources) {
  std::vector<Limit> limits;
  const int64_t period = resources.getCpuPeriod(), quota = resources.getCpuQuota();
  if (resources.getCpuShares() != 0) {
    Add(&limits, "cpu_shares", "cpu.shares", absl::StrCat(resources.getCpuShares()));
  }
  if (period != 0) Add(&limits, "cpu_period", "cpu.cfs_period_us", absl::StrCat(period));
  if (quota != 0) Add(&limits, "cpu_quota", "cpu.cfs_quota_us", absl::StrCat(quota));
  AddCpusets(resources, &limits);
  if (resources.getMemoryLimit() != 0) {
    Add(&limits, "memory_limit_in_bytes", "memory.limit_in_bytes",
        absl::StrCat(resources.getMemoryLimit()));
  }
  if (resources.getMemorySwapLimit() != 0) {
    Add(&limits, "memory_swap_limit_in_bytes", "memory.memsw.limit_in_bytes",
        absl::StrCat(resources.getMemorySwapLimit()), true);
  }
  AddHugepages(resources, ".limit_in_bytes", &limits);
  return limits;
}

std::vector<Limit> LimitsV2(schema::Resources::Reader resources) {
  std::vector<Limit> limits;
  const int64_t period = resources.getCpuPeriod(), quota = resources.getCpuQuota();
  const int64_t memory = resources.getMemoryLimit(), swap = resources.getMemorySwapLimit();
  if (resources.getCpuShares() != 0) {
    Add(&limits, "cpu_shares", "cpu.weight",
        absl::StrCat(base::WeightOfShares(resources.getCpuShares())));
  }
  // One number alone leaves the period as it is.
  if (quota != 0 && period == 0) Add(&limits, "cpu_quota", "cpu.max", OrMax(quota));
  if (period != 0) {
    Add(&limits, "cpu_quota", "cpu.max", absl::StrCat(OrMax(quota == 0 ? -1 : quota), " ", period));
  }
  AddCpusets(resources, &limits);
  if (memory != 0) Add(&limits, "memory_limit_in_bytes", "memory.max", absl::StrCat(memory));
  if (swap < 0) Add(&limits, "memory_swap_limit_in_bytes", "memory.swap.max", "max", true);
  if (swap > 0 && memory > 0) {
    Add(&limits, "memory_swap_limit_in_bytes", "memory.swap.max",
        absl::StrCat(std::max<int64_t>(0, swap - memory)), true);
  }
  AddHugepages(resources, ".max", &limits);
  for (schema::Label::Reader entry : resources.getUnified()) {
    Add(&limits, "unified", entry.getKey().cStr(), entry.getValue().cStr());
  }
  return limits;
}

}  // namespace bulkhead::cgroup
