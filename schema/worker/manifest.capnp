@0xb1a5c0de00000012;
# manifest: hashes one JSON document, then parses it. No network, no file system; reads one fd.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using I = import "/schema/image.capnp";

struct ManifestJob {
  # One fd: the document, read-only.
  kind @0 :Kind;
  offset @1 :UInt64;         # where it begins in the file
  size @2 :UInt64;           # how long it is
  hasDigest @3 :Bool;
  digest @4 :Common.Digest;  # what it must hash to, where hasDigest
  mediaType @5 :Common.Descriptor.MediaType;
  # What Content-Type or the descriptor said: must agree with the document (V2). unknown: not said.
  architecture @6 :Text;     # wanted from an index: "amd64"
  variant @7 :Text;
  enum Kind { manifestOrIndex @0; config @1; signatures @2; }
}

struct ManifestResult {
  status @0 :Common.Status;
  # INVALID_ARGUMENT: malformed or self-contradicting; DATA_LOSS: wrong digest; NOT_FOUND: no such platform.
  digest @1 :Common.Digest;  # of the document
  union {
    none @2 :Void;
    chosen @3 :Common.Descriptor;      # an index: the manifest for the wanted platform
    manifest @4 :Manifest;
    config @5 :I.ImageConfig;
    signatures @6 :List(I.Signature);
  }
  struct Manifest {
    config @0 :Common.Descriptor;
    layers @1 :List(Common.Descriptor);
  }
}
