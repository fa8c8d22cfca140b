@0xb1a5c0de00000030;
# verify: whether one of several signatures (cosign's "simple signing") says that an image is what it should be. No
# network, no file system; reads the fds that come with the job.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct VerifyJob {
  # As many fds as signatures: what each signs, read-only.
  signatures @0 :List(Signature);
  keys @1 :List(Text);                 # public keys in PEM; a signature by any of them will do
  images @2 :List(Common.Digest);      # one of these manifests or indexes must be what it speaks of
  identities @3 :List(Text);           # globs over registry/repository: one must fit what it speaks of

  struct Signature {
    offset @0 :UInt64;
    size @1 :UInt64;
    digest @2 :Common.Digest;          # of the payload, as the signature's manifest has it
    bytes @3 :Data;
  }
}

struct VerifyResult {
  status @0 :Common.Status;
  # PERMISSION_DENIED: none of them will do; the message says of each why. Else the first that does:
  signature @1 :UInt32;
  key @2 :UInt32;
  image @3 :UInt32;
}
