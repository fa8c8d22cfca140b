@0xb1a5c0de00000007;
# What the admin command (root, over <run_dir>/admin.sock) can ask of the broker beyond CRI.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using I = import "/schema/image.capnp";

interface ArchiveFile {
  # An archive opened read-only by the caller. It has no methods: what matters is the file descriptor
  # that travels with it (at most one with a message).
}

interface Admin {
  importImage @0 (archive :ArchiveFile, reference :I.ImageReference)
      -> (status :Common.Status, imageIds :List(Text));
  # An OCI layout or docker-archive tar. reference without repository: the names that the archive gives.

  status @1 () -> (status :Common.Status, pods :UInt32, readyPods :UInt32, containers :UInt32,
                   runningContainers :UInt32, images :UInt32, workers :UInt32, operations :UInt32);
  # Counts for `bulkhead status`.

  stopAll @2 () -> (status :Common.Status);
  # Stops every pod; for `bulkhead up --stop-containers`.
}
