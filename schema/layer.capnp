@0xb1a5c0de00000052;
# A layer in the making: what the workers that make layers are told and tell.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct LayerBudget {
  # The most that one layer may cost; more is RESOURCE_EXHAUSTED.
  maxBytes @0 :UInt64;       # of file contents (a sparse file's whole length), link targets and xattrs
  maxEntries @1 :UInt64;     # in the tar, and inodes made
  maxTarBytes @2 :UInt64;    # of the tar
  maxDepth @3 :UInt32;       # directories above an entry
  maxXattrBytes @4 :UInt64;  # names and values of one entry
  cpuSeconds @5 :UInt32;     # of the process; 0: no rule
}

struct LayerCounts {
  # What a layer came to.
  bytes @0 :UInt64;          # as in LayerBudget
  entries @1 :UInt64;        # inodes and links made
  diffId @2 :Common.Digest;  # SHA-256 of the tar, hashed by who made the layer from it
}
