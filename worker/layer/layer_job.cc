#include "worker/layer/layer_job.h"

#include <iconv.h>

#include <algorithm>

#include "base/log.h"

namespace bulkhead::worker {

LayerLimits LimitsFrom(schema::LayerBudget::Reader budget) {
  return {.max_bytes = budget.getMaxBytes(),
          .max_entries = budget.getMaxEntries(),
          .max_tar_bytes = budget.getMaxTarBytes(),
          .max_depth = std::min<uint32_t>(budget.getMaxDepth(), kMaxNameDepth),
          .max_xattr_bytes = budget.getMaxXattrBytes()};
}

void FillCounts(const LayerCounts& counts, schema::LayerCounts::Builder out) {
  out.setBytes(counts.bytes);
  out.setEntries(counts.entries);
  out.initDiffId().setBytes(
      {reinterpret_cast<const kj::byte*>(counts.diff_id.data()), counts.diff_id.size()});
}

void LogLeftOut(const LayerCounts& counts) {
  if (counts.skipped_devices + counts.dropped_xattrs == 0) return;
  base::Log(base::Severity::kInfo, "left out of the layer",
            {{"devices", counts.skipped_devices}, {"xattrs", counts.dropped_xattrs}});
}

void LoadCharacterSets() {
  iconv_t converter = iconv_open("ANSI_X3.4-1968", "UTF-8");
  if (converter != reinterpret_cast<iconv_t>(-1)) iconv_close(converter);
}

}  // namespace bulkhead::worker
