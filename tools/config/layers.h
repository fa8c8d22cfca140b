#pragma once

#include "absl/status/status.h"
#include "schema/config.capnp.h"
#include "tools/config/settings.h"
#include "tools/config/value.h"

namespace bulkhead::tools {

// The table [layers].
absl::Status ApplyLayers(const Value& value, Settings* settings);

// images: whether the node can have layers as EROFS images; counts where the driver is "auto".
void EncodeLayers(const LayerSettings& layers, bool images, schema::Layers::Builder out);

}  // namespace bulkhead::tools
