@0xb1a5c0de0000001e;
# init: the first process of a pod's shared PID namespace. It reaps what others leave behind, and its life is the
# namespace's life. No other pod has a process of its own. In a pod's user namespace another init is its parent and
# speaks for it (userinit.capnp).

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct InitJob {
  # One fd: a listening socket at <run_dir>/monitor/<pod id>. Whoever of the broker's uid connects gets one
  # InitState; a byte sent on that connection ends the process, and with it every process of the namespace.
  podId @0 :Text;            # for the log
}

struct InitResult {
  status @0 :Common.Status;
}

struct InitState {
  # One fd comes with it: a pidfd of the namespace's first process.
  podId @0 :Text;
}
