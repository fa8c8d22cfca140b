@0xb1a5c0de00000044;
# handles: counts what the processes of containers have open.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct HandlesJob {
  patienceMs @0 :UInt32;     # for all of them
  # fds: at most 250 cgroup.procs, open to be read.
}

struct HandlesResult {
  status @0 :Common.Status;
  cgroups @1 :List(HandleCount);
  # In the order of the job.
}

struct HandleCount {
  # Of the processes in this very cgroup, each with all it has, shared or not. -1: could not be counted to the end.
  descriptors @0 :Int64 = -1;
  sockets @1 :Int64 = -1;    # of the descriptors
}
