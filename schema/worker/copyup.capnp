@0xb1a5c0de00000033;
# copyup: fills a container's own volumes (VOLUME of its image) with what the image has at their places.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct CopyupJob {
  # fds: the rootfs (a detached mount), then one empty directory for each path.
  paths @0 :List(Text);
  # In the rootfs; absolute, clean. Links in them stay inside it. What is not there leaves its directory as it is.
}

struct CopyupResult {
  status @0 :Common.Status;
  # FAILED_PRECONDITION: a path is no directory; RESOURCE_EXHAUSTED: more than 8 GiB, or 1,000,000 entries.
}
