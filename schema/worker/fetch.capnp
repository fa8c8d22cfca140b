@0xb1a5c0de00000011;
# fetch: downloads from one registry. Knows the network, parses HTTP and registry errors; nothing it says is
# believed: what it wrote is hashed afterwards by a worker without network.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using R = import "/schema/registries.capnp";

struct FetchJob {
  auth @0 :R.RegistryAuth;
  registry @1 :Text;                   # the name in the reference; root's configuration says where that is
  repository @2 :Text;
  items @3 :List(Item);
  # The n-th item is written to the n-th fd that comes with the job (a regular file, write-only, empty).
  deadlineMs @4 :UInt32;               # for the whole job
  minimumBytesPerSecond @5 :UInt32;    # of each transfer, over the window; 0: no rule
  minimumWindowSeconds @6 :UInt32;
  token @7 :R.RegistryToken;           # from an earlier worker of the same pull

  struct Item {
    union {
      manifestByTag @0 :Text;
      manifestByDigest @1 :Common.Digest;
      blob @2 :Common.Digest;
    }
    maxBytes @3 :UInt64;               # more than this is an error
  }
}

struct FetchResult {
  status @0 :Common.Status;
  # NOT_FOUND, UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED.
  # The message holds host and HTTP status, never a URL, a header or a body (V6).
  items @1 :List(Fetched);
  token @2 :R.RegistryToken;           # the one in use at the end, for the next worker

  struct Fetched {
    bytes @0 :UInt64;
    mediaType @1 :Common.Descriptor.MediaType;  # of the Content-Type, for manifests
  }
}
