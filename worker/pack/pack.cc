#include "worker/pack/pack.h"

#include "base/status.h"
#include "worker/pack/image_sink.h"

namespace bulkhead::worker {

absl::StatusOr<LayerCounts> Pack(int stream, int image, const LayerLimits& limits) {
  ImageSink sink(image, limits.max_entries);
  BULKHEAD_RETURN_IF_ERROR(sink.Begin());
  BULKHEAD_ASSIGN_OR_RETURN(LayerCounts counts, ReadLayer(stream, limits, sink));
  BULKHEAD_RETURN_IF_ERROR(sink.Finish());
  return counts;
}

}  // namespace bulkhead::worker
