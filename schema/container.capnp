@0xb1a5c0de00000004;
# A container: what kubelet asked for, and what became of it.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using P = import "/schema/pod.capnp";
using Resources = import "/schema/resources.capnp".Resources;

struct ContainerConfig {
  # CRI ContainerConfig, decoded and validated by the frontend, validated again by the broker.
  name @0 :Text;
  attempt @1 :UInt32;
  # (sandbox, name, attempt) is the key under which a retried request joins the first.
  image @2 :Text;            # as the request names it: image id, tag or digest reference
  userSpecifiedImage @3 :Text;
  command @4 :List(Text);    # replaces the image's entrypoint (and its cmd)
  args @5 :List(Text);       # replaces the image's cmd
  workingDir @6 :Text;
  envs @7 :List(Common.KeyValue);
  mounts @8 :List(Mount);
  devices @9 :List(Device);
  labels @10 :List(Common.Label);
  annotations @11 :List(Common.Label);
  logPath @12 :Text;         # relative to the pod's log directory
  stdin @13 :Bool;
  stdinOnce @14 :Bool;
  tty @15 :Bool;
  resources @16 :Resources;
  security @17 :SecurityContext;
  stopSignal @18 :Int32;     # Linux signal number; 0: the image's, else SIGTERM
  cdiDevices @19 :List(Text);  # qualified names, "vendor.com/class=name"
}

struct Mount {
  containerPath @0 :Text;    # absolute, clean
  hostPath @1 :Text;         # absolute, clean; empty where image is set
  readonly @2 :Bool;
  propagation @3 :Propagation;
  recursiveReadOnly @4 :Bool;
  image @5 :Text;            # as the store knows it: the mount shows this image's files
  imageSubPath @6 :Text;     # relative, clean; empty: all of it
  userSpecifiedImage @7 :Text;
  options @8 :UInt64;
  # What the kernel is told of the mount beyond the above: MOUNT_ATTR_* of validate/mount_options.h, no others.
  selinuxRelabel @9 :Bool;
  idMapping @10 :P.IdMapping; # the pod's, where owners are to be seen through its user namespace; length 0: as they are
  enum Propagation { private @0; hostToContainer @1; bidirectional @2; }
}

struct Device {
  containerPath @0 :Text;
  hostPath @1 :Text;
  permissions @2 :Text;      # a subset of "rwm"
}

struct SecurityProfile {
  type @0 :Type;
  localhostRef @1 :Text;     # absolute path on the node, for localhost
  enum Type { runtimeDefault @0; unconfined @1; localhost @2; }
}

struct SecurityContext {
  # CRI LinuxContainerSecurityContext. Capability masks have bit n for capability number n.
  addCapabilities @0 :UInt64;
  dropCapabilities @1 :UInt64;
  addAllCapabilities @2 :Bool;
  dropAllCapabilities @3 :Bool;
  privileged @4 :Bool;
  network @5 :P.NamespaceMode;
  pid @6 :P.NamespaceMode;
  ipc @7 :P.NamespaceMode;
  targetId @8 :Text;         # container whose pid namespace is joined, for pid = target
  hasRunAsUser @9 :Bool;
  runAsUser @10 :UInt32;
  hasRunAsGroup @11 :Bool;
  runAsGroup @12 :UInt32;
  runAsUsername @13 :Text;
  readonlyRootfs @14 :Bool;
  supplementalGroups @15 :List(UInt32);
  strictSupplementalGroups @16 :Bool;
  noNewPrivs @17 :Bool;
  maskedPaths @18 :List(Text);
  readonlyPaths @19 :List(Text);
  seccomp @20 :SecurityProfile;
  hasSeccomp @21 :Bool;      # false: unconfined, as CRI's silence means
  ambientCapabilities @22 :UInt64;
  # Kept by a process that is not root, and inheritable with it; a subset of what the container gets.
  selinux @23 :SelinuxLabel;
  apparmorProfile @24 :Text; # name of a profile that the kernel has; empty: none asked for
  idMapping @25 :P.IdMapping;  # of the pod's user namespace, as the container's request repeats it; length 0: unsaid

  struct SelinuxLabel {
    user @0 :Text;
    role @1 :Text;
    type @2 :Text;
    level @3 :Text;
  }
}

struct Container {
  # One container as it is now; also the stored record (state/), so changes follow the schema rules.
  id @0 :Text;               # 64 lower-case hex digits
  podId @1 :Text;
  config @2 :ContainerConfig;
  state @3 :State;
  imageId @4 :Text;          # "sha256:<hex>" of the image's config
  imageRef @5 :Text;         # repo digest, else the image id
  runtime @6 :Text;          # name of the runtime chosen
  runtimeRule @7 :Text;      # which rule chose it: handler, image, default
  createdAtNs @8 :Int64;     # wall clock, ns since 1970; 0: not yet
  startedAtNs @9 :Int64;
  finishedAtNs @10 :Int64;
  exitCode @11 :Int32;
  reason @12 :Text;          # CamelCase: Completed, Error, OOMKilled, MonitorLost, Unknown
  message @13 :Text;
  logPath @14 :Text;         # absolute; empty: none
  user @15 :Common.UserIds;
  bootId @16 :Data;
  cgroup @17 :Text;          # path under each hierarchy (cgroupfs) or "slice:prefix:name" (systemd)
  stopSignal @18 :Int32;
  layers @19 :List(Common.Digest);
  # diffIDs of its rootfs, lowest first: they stay while the container does, whatever becomes of the image.
  imageMounts @21 :List(ImageMount);
  pid @22 :Int32;            # of its first process on the node, to be shown; nothing acts on it

  struct ImageMount {
    # An image that the container sees as a volume, in the order of the mounts that name one. Its layers stay too.
    mount @0 :UInt32;        # which of the config's mounts
    imageId @1 :Text;
    layers @2 :List(Common.Digest);
  }

  lostLogBytes @20 :UInt64;
  # Output that could not be written to the log (disk full).

  resources @23 :Resources;  # as they are now: an update changes them and leaves config alone

  enum State { created @0; running @1; exited @2; unknown @3; }
}

struct ContainerFilter {
  id @0 :Text;               # full id or a unique prefix; empty: any
  podId @1 :Text;            # likewise
  hasState @2 :Bool;
  state @3 :Container.State;
  labels @4 :List(Common.Label);
}
