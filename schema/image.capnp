@0xb1a5c0de00000005;
# An image: its name, its configuration and its layers.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct ImageReference {
  # A parsed and normalised reference (grammar: distribution-spec). The frontend parses, the broker checks.
  registry @0 :Text;         # host[:port], lower case: "docker.io" where none was written
  repository @1 :Text;       # "library/busybox"
  tag @2 :Text;              # empty where there is only a digest
  digest @3 :Common.Digest;  # no bytes: none
}

struct ImageConfig {
  # What a container needs from the OCI image configuration. All of it is the image author's word (class 2).
  env @0 :List(Common.KeyValue);
  entrypoint @1 :List(Text);
  cmd @2 :List(Text);
  workingDir @3 :Text;
  user @4 :Text;             # as written: "", "uid", "uid:gid", "name", "name:group"
  stopSignal @5 :Text;       # as written: "", "SIGTERM", "15"
  volumes @6 :List(Text);
  labels @7 :List(Common.Label);
  diffIds @8 :List(Common.Digest);
  # SHA-256 of each layer's uncompressed tar, lowest first.
  os @9 :Text;
  architecture @10 :Text;
  variant @11 :Text;
}

struct Image {
  # One image in the store; also the stored record.
  id @0 :Text;               # "sha256:<hex>", digest of the configuration blob
  repoTags @1 :List(Text);
  repoDigests @2 :List(Text);
  sizeBytes @3 :UInt64;      # compressed layers plus configuration
  config @4 :ImageConfig;
  pinned @5 :Bool;
  manifest @6 :Common.Digest;   # the manifest's blob; no bytes: an archive without one
  layerBlobs @8 :List(Common.Digest);
  # The layers as they came (compressed), lowest first, where they are kept: blobs.
  evidence @7 :List(Evidence);
  # The signatures it came with, so that a changed policy can be held against them without a registry.
}

struct Signature {
  # As cosign attaches it to an image.
  payload @0 :Common.Descriptor;
  # What is signed, a document of its own: "repository R has the image with digest D".
  bytes @1 :Data;
}

struct Evidence {
  # What there is for an image under one of its names.
  repository @0 :Text;       # "registry/path"
  digest @1 :Common.Digest;  # the manifest or index that was asked for under that name
  signatures @2 :List(Signature);
  # Their payloads are blobs.
  policyHash @3 :Data;
  # The policy under which one of them was found to be good; no bytes: under none.
}
