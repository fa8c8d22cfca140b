#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"

namespace bulkhead::frontend {

void ToResources(const v1::LinuxContainerResources& in, schema::Resources::Builder out) {
  out.setCpuPeriod(in.cpu_period());
  out.setCpuQuota(in.cpu_quota());
  out.setCpuShares(in.cpu_shares());
  out.setMemoryLimit(in.memory_limit_in_bytes());
  out.setOomScoreAdj(in.oom_score_adj());
  out.setCpusetCpus(Text(in.cpuset_cpus()));
  out.setCpusetMems(Text(in.cpuset_mems()));
  out.setMemorySwapLimit(in.memory_swap_limit_in_bytes());
  auto limits = out.initHugepageLimits(in.hugepage_limits_size());
  for (int i = 0; i < in.hugepage_limits_size(); ++i) {
    limits[i].setPageSize(Text(in.hugepage_limits(i).page_size()));
    limits[i].setLimit(in.hugepage_limits(i).limit());
  }
  ToLabels(in.unified(), [&](unsigned size) { return out.initUnified(size); });
}

void FromResources(schema::Resources::Reader in, v1::LinuxContainerResources* out) {
  out->set_cpu_period(in.getCpuPeriod());
  out->set_cpu_quota(in.getCpuQuota());
  out->set_cpu_shares(in.getCpuShares());
  out->set_memory_limit_in_bytes(in.getMemoryLimit());
  out->set_oom_score_adj(in.getOomScoreAdj());
  out->set_cpuset_cpus(String(in.getCpusetCpus()));
  out->set_cpuset_mems(String(in.getCpusetMems()));
  out->set_memory_swap_limit_in_bytes(in.getMemorySwapLimit());
  for (const auto limit : in.getHugepageLimits()) {
    v1::HugepageLimit* added = out->add_hugepage_limits();
    added->set_page_size(String(limit.getPageSize()));
    added->set_limit(limit.getLimit());
  }
  FromLabels(in.getUnified(), out->mutable_unified());
}

}  // namespace bulkhead::frontend
