@0xb1a5c0de00000037;
# export: writes an image as an OCI image layout in a tar file. No network, no file system; reads and writes the fds
# that come with the job.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct ExportJob {
  # The fds: the archive (a regular file, write-only, empty), then a blob each, read-only: manifest (where there is
  # one), configuration, layers.
  names @0 :List(Text);              # full references; each gets an entry in the index
  hasManifest @1 :Bool;              # false: the image came without, and one is made
  digests @2 :List(Common.Digest);   # of the blobs, in the fds' order: what they must hash to
}

struct ExportResult {
  status @0 :Common.Status;          # DATA_LOSS: a blob is damaged
  bytes @1 :UInt64;                  # of the archive
}
