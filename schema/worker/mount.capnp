@0xb1a5c0de00000017;
# mount: builds a container's root file system and clones the volumes it will see, all as detached mounts
# that are passed on as fds. Nothing is ever attached on the node, so nothing can be left behind.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct MountJob {
  # Layers are directories or EROFS images under <root_dir>/layers, named by their diffID; upper and work
  # directories are made under <root_dir>/containers/<container id>. The worker holds both from its start.
  containerId @0 :Text;
  layers @1 :List(Common.Digest);      # diffIDs, lowest first; not empty
  readOnly @2 :Bool;                   # no upper directory at all
  volumes @3 :List(Volume);
  shared @4 :List(UInt32);
  # Indices of layers whose mount somebody has already. The fds that come with the job are these, in order.
  maxNewMounts @5 :UInt32;             # how many may come back

  struct Volume {
    hostPath @0 :Text;                 # absolute, clean; resolved with openat2, symlinks allowed, no magic links
    readOnly @1 :Bool;
    recursiveReadOnly @2 :Bool;
    recursive @3 :Bool;                # with the mounts below it
    createDirectory @4 :Bool;          # make the directory where it is missing, as Docker did and kubelet expects
  }
}

struct MountResult {
  # fds: the rootfs, then one for each volume, in order, then new mounts of layers: all detached.
  status @0 :Common.Status;            # NOT_FOUND names the path of a missing volume
  volumeIsDirectory @1 :List(Bool);
  newMounts @2 :List(UInt32);
  # Indices of layers that are images and were mounted for this job: their mounts are the last fds, in order. Not
  # id-mapped; whoever hands them in again saves the kernel a second copy of what is read.
}
