@0xb1a5c0de00000014;
# inflate: hashes and decompresses one layer from a file to a pipe. No network, no file system.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct InflateJob {
  # Two fds: the blob (read-only, regular), the pipe to unpack (write end). With growing a third: the read
  # end of a pipe to which nobody writes, and whose other end is closed when the blob is complete.
  offset @0 :UInt64;
  size @1 :UInt64;           # compressed bytes
  maxBytes @2 :UInt64;       # uncompressed; more is RESOURCE_EXHAUSTED
  maxRatio @3 :UInt32;       # uncompressed to compressed, checked from 1 MiB on; 0: no rule
  growing @4 :Bool;          # the blob is still being written, from its start to its end
  cpuSeconds @5 :UInt32;     # of this process; 0: no rule
}

struct InflateResult {
  # The compression is told from the first bytes: gzip, zstd, or a plain tar. Who unpacks the tar hashes it:
  # this process's word on what it wrote would be worth nothing.
  status @0 :Common.Status;  # DATA_LOSS: damaged or cut short; RESOURCE_EXHAUSTED: over a limit
  digest @1 :Common.Digest;  # of the compressed bytes
  bytes @2 :UInt64;          # uncompressed
}
