@0xb1a5c0de00000060;
# cgroup: makes, limits or removes one cgroup in the cgroup file system.
#
# What this worker makes it marks (the sticky bit of the directory), and it sets no limit on another's cgroup and
# removes none, unless it is a container's.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using Resources = import "/schema/resources.capnp".Resources;
using Conf = import "/schema/config.capnp";

struct CgroupJob {
  path @0 :Text;             # below each hierarchy: absolute, clean, not "/"
  ownName @1 :Text;          # must be in the path's last component, so that no wrong path is touched: at least 8 bytes
  cgroupMode @2 :Conf.Host.CgroupMode;
  union {
    make @3 :Resources;
    # It and those above it. Limits are set where this job made it, or an earlier one did.
    limit @4 :Resources;
    # New limits for a container's cgroup, or for one that make made; all of them or none. 0 and empty: as they are.
    # NOT_FOUND: no such cgroup.
    remove @5 :Void;
    # It, what is left below it, and those above that make made and that are empty now; success where it is another's.
  }
  ours @6 :Bool;
  # limit: only where make made it; success without effect elsewhere.
}

struct CgroupResult {
  status @0 :Common.Status;
}
