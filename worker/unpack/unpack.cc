#include "worker/unpack/unpack.h"

#include "base/status.h"
#include "worker/unpack/directory_sink.h"

namespace bulkhead::worker {

absl::StatusOr<LayerCounts> Unpack(int stream, int directory, const LayerLimits& limits) {
  DirectorySink sink(directory, limits.max_entries);
  BULKHEAD_RETURN_IF_ERROR(sink.TakeOver());
  BULKHEAD_ASSIGN_OR_RETURN(LayerCounts counts, ReadLayer(stream, limits, sink));
  BULKHEAD_RETURN_IF_ERROR(sink.FinishDirectories());
  return counts;
}

}  // namespace bulkhead::worker
