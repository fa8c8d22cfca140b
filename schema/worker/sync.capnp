@0xb1a5c0de00000051;
# sync: waits until one layer is on the disk. Holds what it syncs and nothing else; reads none of it.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct SyncJob {
  # Two fds: the directory of the layers; the layer's image (regular, read-only), or that directory once more for a
  # layer that is a directory, whose whole file system is then synced.
}

struct SyncResult {
  status @0 :Common.Status;
}
