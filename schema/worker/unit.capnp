@0xb1a5c0de00000061;
# unit: asks systemd to make, limit or remove one slice, or to limit one scope.
#
# What this worker makes it marks (the unit's description names the pod), and it removes no other unit.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using Resources = import "/schema/resources.capnp".Resources;

struct UnitJob {
  unit @0 :Text;             # "NAME.slice", or "NAME.scope" for limit; at most 255 of a-z A-Z 0-9 - _ .
  ownName @1 :Text;          # must be in the name, so that no wrong unit is touched: at least 8 bytes
  podId @2 :Text;
  v2 @3 :Bool;               # properties of cgroup v2, else those of v1
  union {
    make @4 :Resources;
    # A slice, with those that its dashes name above it. A slice that is there already stays as it is.
    limit @5 :Resources;
    # New limits, until the unit ends. NOT_FOUND: no such unit.
    remove @6 :Void;
    # Stops it, where make made it for this pod.
  }
}

struct UnitResult {
  status @0 :Common.Status;
  ours @1 :Bool;             # whether make made the unit, now or earlier
}
