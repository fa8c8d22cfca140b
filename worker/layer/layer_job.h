#pragma once

#include "absl/status/status.h"
#include "schema/layer.capnp.h"
#include "worker/layer/layer_reader.h"

// What the jobs of unpack and pack have in common.
namespace bulkhead::worker {

LayerLimits LimitsFrom(schema::LayerBudget::Reader budget);
void FillCounts(const LayerCounts& counts, schema::LayerCounts::Builder out);
// What was left out of the layer, if anything.
void LogLeftOut(const LayerCounts& counts);

// libarchive converts the names of PAX headers with iconv(3), which reads its table of modules at
// first use: that must be while there still is a file system. Both conversions are built into the C
// library.
void LoadCharacterSets();

}  // namespace bulkhead::worker
