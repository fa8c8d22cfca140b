@0xb1a5c0de00000035;
# What CDI devices change about a container (CDI specification, containerEdits), in typed form: read by nodeconfig in
# the node's spec files, checked by the broker, applied by mount and launch.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct CdiEdits {
  env @0 :List(Common.KeyValue);
  devices @1 :List(DeviceNode);
  mounts @2 :List(Mount);
  hooks @3 :List(Hook);
  additionalGids @4 :List(UInt32);

  struct DeviceNode {
    path @0 :Text;               # in the container; absolute, clean
    hostPath @1 :Text;           # on the node; likewise. Type and numbers are those of the node's device
    permissions @2 :Text;        # a subset of "rwm", not empty
    hasFileMode @3 :Bool;
    fileMode @4 :UInt32;
    hasUid @5 :Bool;
    uid @6 :UInt32;
    hasGid @7 :Bool;
    gid @8 :UInt32;
  }
  struct Mount {
    hostPath @0 :Text;
    containerPath @1 :Text;
    readonly @2 :Bool;
    options @3 :UInt64;          # MOUNT_ATTR_* of validate/mount_options.h
  }
  struct Hook {
    # A program that the runtime runs on the node, with its power; refused unless the administrator allows its path.
    point @0 :Point;
    path @1 :Text;
    args @2 :List(Text);
    env @3 :List(Text);
    timeoutSeconds @4 :UInt32;   # 0: none
    enum Point { createRuntime @0; createContainer @1; startContainer @2; poststart @3; poststop @4; prestart @5; }
  }
}
