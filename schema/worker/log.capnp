@0xb1a5c0de00000041;
# log: opens a container's log file anew, after its rotation.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct LogJob {
  path @0 :Text;             # absolute, clean; no component may be a symbolic link
}

struct LogResult {
  status @0 :Common.Status;
  # One fd comes with a success: the file, opened for appending, made where it was missing.
}
