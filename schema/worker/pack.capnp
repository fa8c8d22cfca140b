@0xb1a5c0de00000050;
# pack: a tar stream to an EROFS image in one file. Has no file system, no capability and no other process:
# it reads a pipe and writes a file that it got as a descriptor.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using L = import "/schema/layer.capnp";

struct PackJob {
  # Two fds: the tar stream (read end of a pipe), the image (regular, empty, write-only).
  budget @0 :L.LayerBudget;
}

struct PackResult {
  status @0 :Common.Status;
  layer @1 :L.LayerCounts;
}
