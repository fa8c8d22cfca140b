@0xb1a5c0de00000017;
# mount: builds a container's root file system and clones the volumes it will see, all as detached mounts
# that are passed on as fds. Nothing is ever attached on the node, so nothing can be left behind.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using P = import "/schema/pod.capnp";

struct MountJob {
  # Layers are directories under <root_dir>/layers, named by their diffID; upper and work directories are made
  # under <root_dir>/containers/<container id>. The worker holds both directories from its start.
  containerId @0 :Text;
  layers @1 :List(Common.Digest);      # diffIDs, lowest first; not empty
  readOnly @2 :Bool;                   # no upper directory at all
  volumes @3 :List(Volume);
  podId @4 :Text;
  # Not empty: the pod has a user namespace of its own, whose pins give the owners of layers and volumes.
  idMapping @5 :P.IdMapping;           # of that user namespace

  struct Volume {
    hostPath @0 :Text;                 # absolute, clean; resolved with openat2, symlinks allowed, no magic links
    readOnly @1 :Bool;
    recursiveReadOnly @2 :Bool;
    recursive @3 :Bool;                # with the mounts below it
    idMapped @5 :Bool;                 # seen through the pod's user namespace
    createDirectory @4 :Bool;          # make the directory where it is missing, as Docker did and kubelet expects
  }
}

struct MountResult {
  # fds: the rootfs, then one for each volume, in order: detached mounts.
  status @0 :Common.Status;            # NOT_FOUND names the path of a missing volume
  volumeIsDirectory @1 :List(Bool);
}
