#include "worker/unit/properties.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/cgroup.h"

namespace bulkhead::unit {
namespace {

constexpr uint64_t kSecond = 1'000'000;  // in microseconds
// systemd counts in whole percents: rounded up, so that a container's own quota fits below.
constexpr uint64_t kPercent = 10'000;
constexpr int64_t kUsualPeriod = 100'000;  // the kernel's, in microseconds
constexpr uint32_t kMostBits = 8192;

uint64_t OrNoLimit(int64_t value) { return value < 0 ? kNoLimit : static_cast<uint64_t>(value); }

uint64_t QuotaPerSecond(int64_t quota, int64_t period) {
  if (quota < 0) return kNoLimit;
  const uint64_t used = static_cast<uint64_t>(quota), of = static_cast<uint64_t>(period);
  if (used > kNoLimit / kSecond) return kNoLimit;
  return (used * kSecond / of + kPercent - 1) / kPercent * kPercent;
}

void AddCpu(schema::Resources::Reader resources, bool v2, std::vector<Property>* out) {
  const int64_t shares = resources.getCpuShares(), quota = resources.getCpuQuota();
  const int64_t period = resources.getCpuPeriod() != 0 ? resources.getCpuPeriod() : kUsualPeriod;
  if (shares != 0 && v2) out->push_back({"CPUWeight", base::WeightOfShares(shares)});
  if (shares != 0 && !v2) out->push_back({"CPUShares", static_cast<uint64_t>(shares)});
  if (resources.getCpuPeriod() != 0 && v2) {
    out->push_back({"CPUQuotaPeriodUSec", static_cast<uint64_t>(period)});
  }
  if (quota != 0) out->push_back({"CPUQuotaPerSecUSec", QuotaPerSecond(quota, period)});
}

void AddMemory(schema::Resources::Reader resources, bool v2, std::vector<Property>* out) {
  const int64_t memory = resources.getMemoryLimit(), swap = resources.getMemorySwapLimit();
  if (memory != 0) out->push_back({v2 ? "MemoryMax" : "MemoryLimit", OrNoLimit(memory)});
  if (!v2 || swap == 0) return;
  if (swap < 0) out->push_back({"MemorySwapMax", kNoLimit});
  if (swap > 0 && memory > 0) {
    out->push_back({"MemorySwapMax", static_cast<uint64_t>(std::max<int64_t>(0, swap - memory))});
  }
}

}  // namespace

std::vector<uint8_t> BitsOfList(const std::string& list) {
  std::vector<uint8_t> bits;
  for (absl::string_view range : absl::StrSplit(list, ',')) {
    const std::vector<absl::string_view> ends = absl::StrSplit(range, '-');
    uint32_t first = 0, last = 0;
    if (ends.size() > 2 || !absl::SimpleAtoi(ends.front(), &first) ||
        !absl::SimpleAtoi(ends.back(), &last) || first > last || last >= kMostBits) {
      return {};
    }
    if (bits.size() <= last / 8) bits.resize(last / 8 + 1);
    for (uint32_t n = first; n <= last; ++n) bits[n / 8] |= static_cast<uint8_t>(1u << (n % 8));
  }
  return bits;
}

std::vector<Property> Properties(schema::Resources::Reader resources, bool v2) {
  std::vector<Property> out;
  AddCpu(resources, v2, &out);
  AddMemory(resources, v2, &out);
  const std::string cpus = resources.getCpusetCpus(), mems = resources.getCpusetMems();
  if (v2 && !cpus.empty()) out.push_back({"AllowedCPUs", 0, BitsOfList(cpus)});
  if (v2 && !mems.empty()) out.push_back({"AllowedMemoryNodes", 0, BitsOfList(mems)});
  return out;
}

}  // namespace bulkhead::unit
