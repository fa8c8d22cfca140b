@0xb1a5c0de00000013;
# import: finds the images in an archive. Reads one seekable fd; writes nothing. Contents stay where they are:
# the answer says at which offset each document and layer lies, and others hash and unpack them from there.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct ImportJob {
  # One fd: the archive (uncompressed tar: OCI image layout or docker-archive), read-only, seekable.
  architecture @0 :Text;
  variant @1 :Text;
}

struct ImportResult {
  status @0 :Common.Status;
  images @1 :List(Image);
  signatures @2 :List(Signatures);

  struct Image {
    repoTags @0 :List(Text);           # as the archive names it; may be empty
    manifest @1 :Section;              # size 0: a docker-archive has none
    config @2 :Section;
    layers @3 :List(Section);          # lowest first
    index @4 :Section;                 # that the manifest was chosen from; size 0: none
  }
  struct Signatures {
    # What cosign keeps beside an image; of which one, the payloads say.
    manifest @0 :Section;
    payloads @1 :List(Section);
  }
  struct Section {
    offset @0 :UInt64;
    size @1 :UInt64;
    hasDigest @2 :Bool;
    digest @3 :Common.Digest;          # as claimed by the archive
    mediaType @4 :Common.Descriptor.MediaType;
  }
}
