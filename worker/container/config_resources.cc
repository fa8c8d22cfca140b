#include "absl/strings/str_cat.h"
#include "worker/container/config_parts.h"

namespace bulkhead::container {
namespace {

using nlohmann::json;

// CRI's 0 and empty mean "not set".
void SetUnlessZero(json* object, const char* name, int64_t value) {
  if (value != 0) (*object)[name] = value;
}
void SetUnlessEmpty(json* object, const char* name, capnp::Text::Reader value) {
  if (value.size() > 0) (*object)[name] = value.cStr();
}

json Memory(schema::Resources::Reader resources, const Facts& facts) {
  json memory = json::object();
  SetUnlessZero(&memory, "limit", resources.getMemoryLimit());
  if (!facts.has_swap_limit) return memory;
  // Silence on swap is no leave to use it: the limit is that of memory and swap together.
  const int64_t swap = resources.getMemorySwapLimit();
  SetUnlessZero(&memory, "swap", swap != 0 ? swap : resources.getMemoryLimit());
  return memory;
}

json Cpu(schema::Resources::Reader resources) {
  json cpu = json::object();
  SetUnlessZero(&cpu, "shares", resources.getCpuShares());
  SetUnlessZero(&cpu, "quota", resources.getCpuQuota());
  SetUnlessZero(&cpu, "period", resources.getCpuPeriod());
  SetUnlessEmpty(&cpu, "cpus", resources.getCpusetCpus());
  SetUnlessEmpty(&cpu, "mems", resources.getCpusetMems());
  return cpu;
}

json DeviceRules(schema::ContainerSpec::Reader spec, const Facts& facts) {
  if (spec.getAllDevices()) return json::array({{{"allow", true}, {"access", "rwm"}}});
  json rules = json::array({{{"allow", false}, {"access", "rwm"}}});
  for (const DeviceFacts& device : facts.devices) {
    rules.push_back({{"allow", true},
                     {"type", std::string(1, device.type)},
                     {"major", device.major},
                     {"minor", device.minor},
                     {"access", device.access}});
  }
  return rules;
}

json HugepageLimits(schema::Resources::Reader resources) {
  json limits = json::array();
  for (schema::HugepageLimit::Reader limit : resources.getHugepageLimits()) {
    limits.push_back({{"pageSize", limit.getPageSize().cStr()}, {"limit", limit.getLimit()}});
  }
  return limits;
}

json Unified(schema::Resources::Reader resources) {
  json unified = json::object();
  for (schema::Label::Reader entry : resources.getUnified()) {
    unified[entry.getKey().cStr()] = entry.getValue().cStr();
  }
  return unified;
}

void SetUnlessNone(json* object, const char* name, json value) {
  if (!value.empty()) (*object)[name] = std::move(value);
}

}  // namespace

json ResourcesObject(schema::ContainerSpec::Reader spec, const Facts& facts) {
  const schema::Resources::Reader resources = spec.getResources();
  json out;
  out["devices"] = DeviceRules(spec, facts);
  SetUnlessNone(&out, "memory", Memory(resources, facts));
  SetUnlessNone(&out, "cpu", Cpu(resources));
  if (facts.has_hugetlb) SetUnlessNone(&out, "hugepageLimits", HugepageLimits(resources));
  if (facts.cgroup_v2) SetUnlessNone(&out, "unified", Unified(resources));
  return out;
}

}  // namespace bulkhead::container
