@0xb1a5c0de00000018;
# sandbox: makes and pins a pod's namespaces and its files, or takes them away.
#
# Pins: <run_dir>/pods/<pod id>/{net,ipc,uts} (bind mounts of nsfs), shm (tmpfs), and the plain files
# resolv.conf and hostname.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using P = import "/schema/pod.capnp";

struct SandboxJob {
  podId @0 :Text;
  union {
    make @1 :Make;
    remove @2 :Void;
    # Unpins and deletes all that make left, in any state; success when there is nothing.
    watchNetworks @3 :List(Text);
    # Ids of at most 64 pods (podId is empty): opens a route-netlink socket in the network namespace of each, by
    # which its counters can be read, and nothing be changed without a capability. One fd for each comes with a
    # success; NOT_FOUND where one of the namespaces is gone.
  }
  struct Make {
    newNetwork @0 :Bool;     # with loopback up
    newIpc @1 :Bool;
    newUts @2 :Bool;
    hostname @3 :Text;       # set where newUts; empty: the node's own
    shmBytes @4 :UInt64;     # size of /dev/shm where newIpc
    sysctls @5 :List(Common.Label);
    # Written inside the new namespaces; the grammar and the allowed set are security/policy/sysctl.h,
    # checked again here.
    dnsServers @6 :List(Text);
    dnsSearches @7 :List(Text);
    dnsOptions @8 :List(Text);
    # All empty: the node's resolv.conf is copied.
    idMapping @9 :P.IdMapping;
    # length not 0: a new user namespace, which owns the other new ones. Pinned as "user", and beside it "layer-ids",
    # through which layers are seen (security/layer_ids.h).
    answerUser @10 :Bool;
    # One fd comes with a success: that user namespace. For userinit.
    podNamespace @11 :Text;
    # Kubernetes', as claimed: which section of the policy the worker holds the job against.
  }
}

struct SandboxResult {
  status @0 :Common.Status;
}
