@0xb1a5c0de00000001;
# What all schemas share. Rules for changing any of them: schema/README.md.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");

struct Status {
  # The outcome of a call, flat beside its results (never a union with them, so that a result can be
  # pipelined). Default is success.
  code @0 :UInt16;
  # The canonical codes of absl::StatusCode and gRPC: 0 is OK.
  message @1 :Text;
  # For people: "verb object: cause". Never a secret. At most 4 KiB.
}

struct KeyValue {
  # One entry of a map whose values may be any bytes without NUL (environment variables).
  key @0 :Text;
  value @1 :Data;
}

struct Label {
  # One entry of a label or annotation map.
  key @0 :Text;
  value @1 :Text;
}

struct Digest {
  # A SHA-256 digest. Never a string, so never a path (V3).
  bytes @0 :Data;
  # Exactly 32 bytes.
}

struct Descriptor {
  # Content that a manifest points to (OCI image-spec, descriptor).
  digest @0 :Digest;
  size @1 :UInt64;
  # In bytes, as claimed; checked against what arrives.
  mediaType @2 :MediaType;
  enum MediaType {
    unknown @0;
    index @1;          # OCI index or Docker manifest list
    manifest @2;       # OCI manifest or Docker schema 2 manifest
    config @3;
    layerTar @4;
    layerTarGzip @5;
    layerTarZstd @6;
  }
}

struct UserIds {
  # A resolved user: numbers only.
  uid @0 :UInt32;
  gid @1 :UInt32;
  additionalGids @2 :List(UInt32);
  # Always holds gid as well (V21).
}

struct Step {
  # One step of a worker's job and how long it took; for `bulkhead trace` alone.
  name @0 :Text;
  micros @1 :Int64;
}
