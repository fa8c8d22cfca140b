@0xb1a5c0de00000007;
# What the admin command (root, over <run_dir>/admin.sock) can ask of the broker beyond CRI.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using I = import "/schema/image.capnp";
using Store = import "/schema/store.capnp";

interface ArchiveFile {
  # An archive opened by the caller, to read or to write. It has no methods: what matters is the file descriptor
  # that travels with it (at most one with a message).
}

interface Admin {
  importImage @0 (archive :ArchiveFile, reference :I.ImageReference)
      -> (status :Common.Status, imageIds :List(Text));
  # An OCI layout or docker-archive tar. reference without repository: the names that the archive gives.

  status @1 () -> (status :Common.Status, pods :UInt32, readyPods :UInt32, containers :UInt32,
                   runningContainers :UInt32, images :UInt32, workers :UInt32, operations :UInt32,
                   spares :List(Text));
  # Counts for `bulkhead status`. spares: the kinds of the workers that stand by without a job, which workers leaves out.

  stopAll @2 () -> (status :Common.Status);
  # Stops every pod; for `bulkhead up --stop-containers`.

  timelines @3 (id :Text) -> (status :Common.Status, timelines :List(Timeline));
  # The last operations on a pod or container (id: or a prefix of it; empty: all), oldest first.

  pulls @4 () -> (status :Common.Status, pulls :List(Pull));
  # Those under way and those that wait for their turn.

  pruneImages @5 (all :Bool) -> (status :Common.Status, imageIds :List(Text));
  # Removes images that no container uses and that are not pinned: those without a tag, or all of them.

  check @6 (repair :Bool) -> (status :Common.Status, report :Store.CheckReport);
  # Hashes all that the store holds. Takes as long as reading it takes.

  exportImage @7 (image :Text, archive :ArchiveFile) -> (status :Common.Status, bytes :UInt64);
  # Writes the image (by id or normalised name) as an OCI layout into the file: regular, empty, open for writing.
  # FAILED_PRECONDITION: its layers were not kept as they came.

  networks @8 () -> (status :Common.Status, ready :Bool, reason :Text, network :Text, file :Text,
                     attachments :UInt32, owed :UInt32, debts :List(NetworkDebt));
  # The CNI network of new pods, how many pods are attached, and how many DELs are still to be done; at most 64 of them.

  checkNetworks @9 () -> (status :Common.Status, pods :List(PodNetwork));
  # CNI CHECK for each ready pod with a network of its own.

  collectNetworkGarbage @10 () -> (status :Common.Status);
  # CNI GC now.

  metrics @11 () -> (status :Common.Status, operations :List(OperationMetric), steps :List(StepMetric),
                     boundsUs :List(Int64));
  # What there was since the broker began. boundsUs: of the histograms' buckets.
}

struct OperationMetric {
  operation @0 :Text;        # the CRI call's name
  outcome @1 :Text;          # "OK" or the code's name
  count @2 :UInt64;
  micros @3 :UInt64;         # of all together
  within @4 :List(UInt64);   # how many took at most each bound
}

struct StepMetric {
  name @0 :Text;             # a worker's kind, or one step of its job
  count @1 :UInt64;
  micros @2 :UInt64;
}

struct Timeline {
  # Where one operation's time went; for `bulkhead trace`.
  operation @0 :Text;        # the CRI call's name
  podId @1 :Text;
  objectId @2 :Text;         # the container, where it is about one
  outcome @3 :Text;          # "OK" or the code's name
  beganAtNs @4 :Int64;       # wall clock, ns since 1970
  totalUs @5 :Int64;
  steps @6 :List(Step);      # in the order in which they began; they may overlap

  struct Step {
    name @0 :Text;
    beginUs @1 :Int64;       # both since the operation began
    endUs @2 :Int64;         # -1: it had not ended when the operation did
  }
}

struct NetworkDebt {
  podId @0 :Text;
  podName @1 :Text;
  podNamespace @2 :Text;
  network @3 :Text;
  failures @4 :UInt32;       # tries of DEL so far
  lastError @5 :Text;
  dueSinceNs @6 :Int64;      # wall clock
}

struct PodNetwork {
  podId @0 :Text;
  podName @1 :Text;
  podNamespace @2 :Text;
  status @3 :Common.Status;
}

struct Pull {
  reference @0 :Text;
  waiting @1 :Bool;          # for others to end
  seconds @2 :UInt32;        # since it began
  parts @3 :List(Part);      # layers, lowest first, once the manifest has told of them
  callers @4 :UInt32;        # who wait for it; the last that goes away ends it

  struct Part {
    digest @0 :Common.Digest;
    size @1 :UInt64;         # bytes, as the manifest says
    fetched @2 :UInt64;      # bytes that are here
    state @3 :State;
    enum State { waiting @0; fetching @1; unpacking @2; done @3; }
  }
}
