@0xb1a5c0de00000017;
# mount: builds a container's root file system and clones the volumes it will see, all as detached mounts
# that are passed on as fds. Nothing is ever attached on the node, so nothing can be left behind.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using P = import "/schema/pod.capnp";

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
  images @6 :List(ImageVolume);
  ownVolumes @7 :UInt16;
  # How many empty directories to make for what the image declares as VOLUME, under
  # <root_dir>/containers/<container id>/volumes.
  podId @8 :Text;
  # Not empty: the pod has a user namespace of its own, whose pins give the owners of layers and volumes.
  idMapping @9 :P.IdMapping;           # of that user namespace
  podNamespace @10 :Text;
  podUid @11 :Text;
  # Kubernetes', as claimed: which section of the policy the worker holds volumes against, and whose volumes are the pod's.

  struct Volume {
    hostPath @0 :Text;                 # absolute, clean; resolved with openat2, symlinks allowed, no magic links
    readOnly @1 :Bool;
    recursiveReadOnly @2 :Bool;
    recursive @3 :Bool;                # with the mounts below it
    createDirectory @4 :Bool;          # make the directory where it is missing, as Docker did and kubelet expects
    options @5 :UInt64;                # MOUNT_ATTR_* of validate/mount_options.h, no others
    idMapped @6 :Bool;                 # seen through the pod's user namespace
  }

  struct ImageVolume {
    # The files of an image, read-only, without an upper directory.
    layers @0 :List(Common.Digest);    # diffIDs, lowest first
    subPath @1 :Text;                  # relative, clean; links in it stay inside the image. Empty: all of it
    options @2 :UInt64;
  }
}

struct MountResult {
  # fds, all detached mounts: the rootfs, then one for each of volumes, images and ownVolumes, in order, then new mounts
  # of layers.
  status @0 :Common.Status;            # NOT_FOUND names the path of a missing volume or sub path
  volumeIsDirectory @1 :List(Bool);
  newMounts @2 :List(UInt32);
  # Indices of layers that are images and were mounted for this job: their mounts are the last fds, in order. Not
  # id-mapped; whoever hands them in again saves the kernel a second copy of what is read.
}
