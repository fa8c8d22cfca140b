@0xb1a5c0de00000028;
# userinit: starts init in a pod's user namespace, and becomes its parent, which speaks for it (init.capnp).

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct UserinitJob {
  # Two fds: the listening socket as init has it, and the pod's user namespace.
  podId @0 :Text;            # for the log
}

struct UserinitResult {
  status @0 :Common.Status;
}
