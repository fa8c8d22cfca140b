@0xb1a5c0de00000040;
# What the frontend is told of the use of resources, and of what happens to pods and containers.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using P = import "/schema/pod.capnp";
using C = import "/schema/container.capnp";
using W = import "/schema/worker/stats.capnp";

struct ContainerStats {
  id @0 :Text;
  podId @1 :Text;
  name @2 :Text;
  attempt @3 :UInt32;
  labels @4 :List(Common.Label);
  annotations @5 :List(Common.Label);
  running @6 :Bool;          # usage is set
  usage @7 :W.CgroupUsage;
  nanoCores @8 :Int64 = -1;  # mean use of processors since the sample before, in 10^-9 of one
  diskTimestampNs @9 :Int64; # wall clock, of the two below; 0: not known
  diskBytes @10 :UInt64;
  diskInodes @11 :UInt64;
  lostLogBytes @12 :UInt64;
  startedAtNs @13 :Int64;
  image @14 :Text;
  resources @15 :C.Resources;
  descriptors @16 :Int64 = -1;  # open in its processes; -1: not asked for, or could not be counted
  sockets @17 :Int64 = -1;      # of them
}

struct PodStats {
  id @0 :Text;
  config @1 :P.PodConfig;
  usage @2 :W.CgroupUsage;   # of the pod's cgroup where kubelet gave one, else the sum over its containers
  nanoCores @3 :Int64 = -1;
  hasNetwork @4 :Bool;       # false: the node's network
  network @5 :W.NetworkUsage;
  containers @6 :List(ContainerStats);
  createdAtNs @7 :Int64;
}

struct Event {
  # Something that happened to a container, or to a pod sandbox, whose id then stands for a container's.
  kind @0 :Kind;
  id @1 :Text;
  atNs @2 :Int64;            # wall clock
  pod @3 :P.Pod;             # as it was then; absent where it was gone
  containers @4 :List(C.Container);
  enum Kind { created @0; started @1; stopped @2; deleted @3; }
}
