@0xb1a5c0de0000001f;
# dial: one connection to a port of a pod's loopback addresses, for a port-forward.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct DialJob {
  podId @0 :Text;
  port @1 :UInt16;           # not 0
  node @2 :Bool;             # the pod lives in the node's network namespace; else in the one that is pinned for it
}

struct DialResult {
  status @0 :Common.Status;  # UNAVAILABLE: nobody listens there
  # One fd: the connected socket.
}
