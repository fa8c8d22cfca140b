@0xb1a5c0de00000006;
# All that the frontend can ask of the broker. A call that is not here cannot be made.
#
# The frontend is not trusted: the broker checks every field again. Each call has a deadline of the broker's
# own; dropping a call does not undo what it began. Ids are 64 lower-case hex digits; where a call takes an
# id, a unique prefix will do, as crictl users expect.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using P = import "/schema/pod.capnp";
using C = import "/schema/container.capnp";
using I = import "/schema/image.capnp";
using R = import "/schema/registries.capnp";
using Stats = import "/schema/stats.capnp";

interface Broker {
  status @0 () -> (status :Common.Status, runtimeReady :Bool, runtimeReason :Text,
                   networkReady :Bool, networkReason :Text);
  # Whether pods can be run, and whether CNI pods can. Changes nothing.

  runPodSandbox @1 (config :P.PodConfig) -> (status :Common.Status, id :Text);
  # Makes the namespaces and the network. Idempotent by (name, namespace, uid, attempt).
  # INVALID_ARGUMENT names the field; FAILED_PRECONDITION: no network configuration.

  stopPodSandbox @2 (id :Text) -> (status :Common.Status);
  # Kills the pod's containers, pays the network back. Idempotent; an unknown id is success.

  removePodSandbox @3 (id :Text) -> (status :Common.Status);
  # Stops, removes the pod's containers and all that the pod held. Idempotent; unknown is success.

  podSandboxStatus @4 (id :Text) -> (status :Common.Status, pod :P.Pod,
                                     containers :List(C.Container), networkResult :Data);
  # networkResult: what the CNI plugins said, as JSON that the cni worker wrote; empty: none. For people.
  listPodSandboxes @5 (filter :P.PodFilter) -> (status :Common.Status, pods :List(P.Pod));

  createContainer @6 (podId :Text, config :C.ContainerConfig, pod :P.PodIdentity)
      -> (status :Common.Status, id :Text);
  # Leaves the container's process waiting to be started. Idempotent by (pod, name, attempt).
  # pod: whom the caller takes podId for, where it says so; INVALID_ARGUMENT where it is another.
  # NOT_FOUND: pod, image, device; FAILED_PRECONDITION: pod not ready, or the node cannot give what is asked for.

  startContainer @7 (id :Text) -> (status :Common.Status);
  stopContainer @8 (id :Text, timeoutSeconds :Int64) -> (status :Common.Status);
  # The stop signal, then SIGKILL after the timeout. Idempotent; unknown is success.
  removeContainer @9 (id :Text) -> (status :Common.Status);
  # Kills it if it runs. Idempotent; unknown is success.
  containerStatus @10 (id :Text, verbose :Bool)
      -> (status :Common.Status, container :C.Container, image :I.Image, specification :Data);
  # specification: where verbose, the container's config.json as the runtime got it; none where it is gone or
  # over 512 KiB.
  listContainers @11 (filter :C.ContainerFilter) -> (status :Common.Status,
                                                     containers :List(C.Container));

  execSync @12 (id :Text, argv :List(Text), timeoutSeconds :Int64)
      -> (status :Common.Status, stdout :Data, stderr :Data, exitCode :Int32);
  # Runs argv in the container and collects at most 16 MiB of each stream; the rest is dropped.
  # timeoutSeconds 0: none asked; the broker has its own. DEADLINE_EXCEEDED: the process was killed.

  pullImage @13 (reference :I.ImageReference, auth :R.RegistryAuth)
      -> (status :Common.Status, imageId :Text);
  # The same image pulled with the same credentials twice at once is pulled once. Dropped by all its callers
  # before its layers are there, it ends, and leaves nothing.
  imageStatus @14 (image :Text, verbose :Bool)
      -> (status :Common.Status, found :Bool, image :I.Image, config :Data, manifest :Data);
  # image: an image id (with or without "sha256:", also a unique prefix) or a normalised reference.
  # config, manifest: with verbose, the documents as they came (JSON of the image's author), where they are small.
  listImages @15 (image :Text) -> (status :Common.Status, images :List(I.Image));
  # image: empty for all.
  removeImage @16 (image :Text) -> (status :Common.Status);
  # By id: all its names. By reference: the image as well, with its other names, as kubelet means it.
  imageFsInfo @17 () -> (status :Common.Status, mountpoint :Text, usedBytes :UInt64,
                         inodesUsed :UInt64, containerBytes :UInt64, containerInodes :UInt64);

  exec @18 (id :Text, argv :List(Text), tty :Bool, stdin :Bool, stdout :Bool, stderr :Bool)
      -> (status :Common.Status, url :Text);
  # A URL that is good once, within a minute, for this command and these streams. At least one stream; no stderr with tty.
  # RESOURCE_EXHAUSTED: a thousand such URLs wait already.
  attach @19 (id :Text, tty :Bool, stdin :Bool, stdout :Bool, stderr :Bool)
      -> (status :Common.Status, url :Text);
  portForward @20 (podId :Text, ports :List(UInt16)) -> (status :Common.Status, url :Text);
  # ports: those that a client without SPDY gets. PERMISSION_DENIED: the pod is on the node's network, and the
  # configuration does not allow that.

  reopenContainerLog @21 (id :Text) -> (status :Common.Status);
  # After the log was renamed: nothing goes to the old file once this has succeeded, and no line is lost.
  # FAILED_PRECONDITION: the container does not run.

  containerStats @22 (filter :C.ContainerFilter)
      -> (status :Common.Status, containers :List(Stats.ContainerStats));
  # The filter's state is not looked at. Containers that do not run have only their disk usage.
  podStats @23 (filter :P.PodFilter, handles :Bool)
      -> (status :Common.Status, pods :List(Stats.PodStats), fsBytes :UInt64, fsInodes :UInt64,
          fsInodesFree :UInt64);
  # handles: containers' descriptors and sockets as well. fs: the file system with the writable layers.

  subscribe @24 () -> (status :Common.Status, id :UInt64);
  # Begins to keep events for nextEvents, for as long as this connection lasts; what is there already is told
  # first. RESOURCE_EXHAUSTED: too many at once.
  nextEvents @25 (id :UInt64, seen :UInt64, waitMs :UInt32)
      -> (status :Common.Status, events :List(Stats.Event), last :UInt64);
  # The events after number seen, at most 64; waits for one, at most 60 s. Those up to seen are forgotten.
  # last: number of the last of them. DATA_LOSS: the caller was too slow, and events are lost; the
  # subscription has ended, and a new one tells the whole state again.
  unsubscribe @26 (id :UInt64) -> (status :Common.Status);

  updatePodResources @27 (id :Text, overhead :C.Resources, resources :C.Resources)
      -> (status :Common.Status);
  # What the pod may use in all. Changes the pod's cgroup only where the broker had it made: kubelet has changed its
  # own already. 0 and empty: as it is. FAILED_PRECONDITION: not ready.
  updateContainerResources @28 (id :Text, resources :C.Resources) -> (status :Common.Status);
  # All of it or nothing; 0 and empty: as it is. oomScoreAdj is of the next start. INVALID_ARGUMENT: names the field;
  # FAILED_PRECONDITION: not running, or it uses more memory than it would have.

  updateRuntimeConfig @29 (podCidr :Text) -> (status :Common.Status);
  # The subnets of the node's pods, separated by commas, at most one of each family; for CNI's ipRanges. Empty: none.
}
