@0xb1a5c0de00000016;
# user: looks a user up in the passwd and group files of one rootfs, and sees nothing else.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct UserJob {
  # One fd: the rootfs (a directory or a detached mount).
  user @0 :Text;             # "", "uid", "uid:gid", "name", "name:group": image USER, or a CRI username
  hasGid @1 :Bool;           # CRI run_as_group: wins over the image's and passwd's
  gid @2 :UInt32;
  supplementalGids @3 :List(UInt32);
  strict @4 :Bool;           # do not add the groups that the image's group file gives the user
}

struct UserResult {
  status @0 :Common.Status;  # INVALID_ARGUMENT: bad grammar; NOT_FOUND: no such user or group
  user @1 :Common.UserIds;
  home @2 :Text;             # empty where passwd does not say
  username @3 :Text;
}
