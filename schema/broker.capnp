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

  createContainer @6 (podId :Text, config :C.ContainerConfig) -> (status :Common.Status, id :Text);
  # Leaves the container's process waiting to be started. Idempotent by (pod, name, attempt).
  # NOT_FOUND: pod or image; FAILED_PRECONDITION: pod not ready.

  startContainer @7 (id :Text) -> (status :Common.Status);
  stopContainer @8 (id :Text, timeoutSeconds :Int64) -> (status :Common.Status);
  # The stop signal, then SIGKILL after the timeout. Idempotent; unknown is success.
  removeContainer @9 (id :Text) -> (status :Common.Status);
  # Kills it if it runs. Idempotent; unknown is success.
  containerStatus @10 (id :Text) -> (status :Common.Status, container :C.Container, image :I.Image);
  listContainers @11 (filter :C.ContainerFilter) -> (status :Common.Status,
                                                     containers :List(C.Container));

  execSync @12 (id :Text, argv :List(Text), timeoutSeconds :Int64)
      -> (status :Common.Status, stdout :Data, stderr :Data, exitCode :Int32);
  # Runs argv in the container and collects at most 16 MiB of each stream; the rest is dropped.
  # timeoutSeconds 0: none asked; the broker has its own. DEADLINE_EXCEEDED: the process was killed.

  pullImage @13 (reference :I.ImageReference) -> (status :Common.Status, imageId :Text);
  imageStatus @14 (image :Text) -> (status :Common.Status, found :Bool, image :I.Image);
  # image: an image id (with or without "sha256:", also a unique prefix) or a normalised reference.
  listImages @15 (image :Text) -> (status :Common.Status, images :List(I.Image));
  # image: empty for all.
  removeImage @16 (image :Text) -> (status :Common.Status);
  # By id: all its names. By reference: the image as well, with its other names, as kubelet means it.
  imageFsInfo @17 () -> (status :Common.Status, mountpoint :Text, usedBytes :UInt64,
                         inodesUsed :UInt64, containerBytes :UInt64);
  updateRuntimeConfig @18 (podCidr :Text) -> (status :Common.Status);
  # The subnets of the node's pods, separated by commas, at most one of each family; for CNI's ipRanges. Empty: none.
}
