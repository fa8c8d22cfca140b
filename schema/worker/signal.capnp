@0xb1a5c0de0000001c;
# signal: sends one signal to a container.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using Conf = import "/schema/config.capnp";

struct SignalJob {
  # fds: a pidfd of the container's first process; none for a whole cgroup.
  signal @0 :Int32;          # 1 to 64
  wholeCgroup @1 :Bool;      # SIGKILL to every process in the container's cgroup
  containerId @2 :Text;
  cgroup @3 :Text;           # Container.cgroup; its last component must hold containerId
  cgroupMode @4 :Conf.Host.CgroupMode;
}

struct SignalResult {
  status @0 :Common.Status;  # NOT_FOUND: already gone
}
