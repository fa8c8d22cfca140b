@0xb1a5c0de00000014;
# inflate: hashes and decompresses one layer from a file to a pipe. No network, no file system.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct InflateJob {
  # Two fds: the blob (read-only, regular), the pipe to unpack (write end).
  offset @0 :UInt64;
  size @1 :UInt64;           # compressed bytes
  maxBytes @2 :UInt64;       # uncompressed; more is RESOURCE_EXHAUSTED
  maxRatio @3 :UInt32;       # uncompressed to compressed, checked from 1 MiB on; 0: no rule
}

struct InflateResult {
  # The compression is told from the first bytes: gzip, zstd, or a plain tar.
  status @0 :Common.Status;  # DATA_LOSS: damaged or cut short; RESOURCE_EXHAUSTED: over a limit
  digest @1 :Common.Digest;  # of the compressed bytes
  diffId @2 :Common.Digest;  # of the uncompressed bytes
  bytes @3 :UInt64;          # uncompressed
}
