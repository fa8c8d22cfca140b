@0xb1a5c0de00000036;
# check: hashes what the store holds, so that the broker can compare it with what it should be. Reads; writes nothing.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct CheckJob {
  union {
    file @0 :Void;                     # one fd: a regular file, read-only
    layer @1 :Common.Digest;           # <root_dir>/layers/<hex>, a directory or a file
  }
}

struct CheckResult {
  status @0 :Common.Status;            # NOT_FOUND: there is no such layer
  digest @1 :Common.Digest;
  # Of a file's bytes; of a directory: worker/check/tree_digest.h.
  bytes @2 :UInt64;                    # that were read
}
