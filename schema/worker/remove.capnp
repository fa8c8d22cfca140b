@0xb1a5c0de0000001d;
# remove: deletes one layer or one container's upper directory, crossing no mount and following no link.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct RemoveJob {
  union {
    layer @0 :Common.Digest;           # <root_dir>/layers/<hex>
    container @1 :Text;                # <root_dir>/containers/<container id>
    staging @2 :Text;                  # <root_dir>/layers/<name>, a half-unpacked layer: "tmp-" and 32 hex digits
  }
}

struct RemoveResult {
  status @0 :Common.Status;            # success when there is nothing
}
