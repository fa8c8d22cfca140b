@0xb1a5c0de00000015;
# unpack: a tar stream to a layer directory. Runs as root of a user namespace whose ids begin at
# security/layer_ids.h's shift, so that nothing it makes has power on the node; sees only that directory.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using L = import "/schema/layer.capnp";

struct UnpackJob {
  # Two fds: the tar stream (read end of a pipe), the layer's directory (empty).
  budget @0 :L.LayerBudget;
}

struct UnpackResult {
  status @0 :Common.Status;
  layer @1 :L.LayerCounts;
}
