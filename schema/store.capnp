@0xb1a5c0de0000000f;
# What `bulkhead check` found in the image store.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");

struct CheckReport {
  images @0 :UInt32;
  blobs @1 :UInt32;
  layers @2 :UInt32;
  bytes @3 :UInt64;            # that were read
  findings @4 :List(CheckFinding);
}

struct CheckFinding {
  kind @0 :Kind;
  object @1 :Text;             # an image's id, a digest, a name
  problem @2 :Text;
  repair @3 :Text;             # what was done; empty: nothing
  repaired @4 :Bool;
  enum Kind {
    image @0;                  # its record or its documents contradict each other
    blob @1;                   # a document that is missing or damaged
    layer @2;
    leftover @3;               # belongs to nothing
  }
}
