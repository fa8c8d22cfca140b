@0xb1a5c0de00000043;
# usage: counts what the writable layers of containers take on disk.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct UsageJob {
  containers @0 :List(Text); # ids; at most 1024
  patienceMs @1 :UInt32;     # for each of them
}

struct UsageResult {
  status @0 :Common.Status;
  layers @1 :List(LayerUsage);
  # In the order of the job.
  fsBytes @2 :UInt64;        # of the file system that they lie on
  fsInodes @3 :UInt64;
  fsInodesFree @4 :UInt64;
}

struct LayerUsage {
  # What lies below <root_dir>/containers/<id>/upper.
  bytes @0 :UInt64;          # of blocks, so holes count nothing; a file with several names counts once
  inodes @1 :UInt64;
  complete @2 :Bool;         # false: gone, or too large or too deep to be counted in the time
}
