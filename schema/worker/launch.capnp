@0xb1a5c0de0000001b;
# launch: writes config.json from typed fields and runs the OCI runtime; for create, becomes the container's monitor.
#
# Bundle: <root_dir>/<runtime>/<pod id>/<container id>/{rootfs/,config.json,mounts/}.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using C = import "/schema/container.capnp";
using P = import "/schema/pod.capnp";
using Conf = import "/schema/config.capnp";
using S = import "/schema/seccomp.capnp";
using Cdi = import "/schema/cdi.capnp";

struct LaunchJob {
  podId @0 :Text;
  containerId @1 :Text;
  runtimeName @2 :Text;      # the first component of the bundle's path
  runtimePath @3 :Text;      # absolute; root-owned and not writable by others, else refused
  cgroupMode @4 :Conf.Host.CgroupMode;
  cgroupDriver @5 :Conf.Host.CgroupDriver;
  podNamespace @12 :Text;    # Kubernetes', as claimed: which section of the policy the worker holds the job against
  union {
    create @6 :ContainerSpec;
    # fds: the rootfs, the monitor's listening socket, then one for each volume.
    start @7 :Void;
    exec @8 :Exec;
    delete @9 :Void;
    # Kills what is left, deletes the runtime's state and the bundle; success when there is nothing.
    describe @11 :Void;
    # The answer's stdout: config.json, at most 512 KiB.
    execStream @10 :ExecStream;
    # Starts a command and answers with the ends of its streams: a socket that tells its end (ipc/exec_protocol.h), then the
    # terminal where the process has one, else input, output and error as far as they are wanted. Lives on until then.
  }

  struct ExecStream {
    process @0 :Process;
    stdin @1 :Bool;
    stdout @2 :Bool;
    stderr @3 :Bool;
  }

  struct Exec {
    process @0 :Process;
    timeoutMs @1 :UInt32;    # 0: none
    maxOutputBytes @2 :UInt32;
    cgroup @3 :Text;
  }
}

struct LaunchResult {
  status @0 :Common.Status;
  pid @1 :Int32;             # create: to be shown
  stdout @2 :Data;           # exec, describe
  stderr @3 :Data;
  exitCode @4 :Int32;
  configDigest @5 :Common.Digest;
  # create: SHA-256 of the config.json written
  steps @6 :List(Common.Step);
}

struct Process {
  # OCI runtime-spec, process; create and exec are built from the same struct.
  args @0 :List(Text);       # not empty
  env @1 :List(Common.KeyValue);
  cwd @2 :Text;              # absolute
  user @3 :Common.UserIds;
  capabilities @4 :UInt64;   # bounding; also permitted and effective where uid is 0. Inheritable and ambient: see below.
  noNewPrivileges @5 :Bool;
  oomScoreAdj @6 :Int32;
  terminal @7 :Bool;
  seccomp @8 :C.SecurityProfile;
  ambient @9 :UInt64;        # subset of capabilities: ambient and inheritable, permitted and effective whatever the uid
}

struct ContainerSpec {
  # Everything that config.json says.
  process @0 :Process;
  readOnlyRootfs @1 :Bool;
  hostname @2 :Text;         # only where uts is new; empty otherwise
  mounts @3 :List(Mount);    # in order, after the standard ones
  namespaces @4 :Namespaces;
  cgroup @5 :Text;
  resources @6 :C.Resources;
  devices @7 :List(C.Device);
  allDevices @8 :Bool;       # privileged
  maskedPaths @9 :List(Text);
  readonlyPaths @10 :List(Text);
  cgroupWritable @11 :Bool;  # privileged: cgroupfs and sysfs are writable
  logPath @12 :Text;         # absolute; empty: none
  stdin @13 :Bool;
  stdinOnce @15 :Bool;       # for the monitor: stdin ends with the first attached client's
  podFiles @14 :Bool;        # bind the pod's resolv.conf, hostname and shm unless mounts cover them
  seccompFilter @16 :S.SeccompFilter;
  # Where process.seccomp is localhost: what the profile says.
  cdiDevices @17 :List(Cdi.CdiEdits.DeviceNode);
  hooks @18 :List(Cdi.CdiEdits.Hook);
  # Of CDI, each allowed by the administrator.
  idMapping @19 :P.IdMapping;  # of the pod's user namespace, where namespaces.user is pod

  struct Mount {
    destination @0 :Text;
    volume @1 :UInt16;       # index among the volume fds
    readOnly @2 :Bool;
    recursiveReadOnly @3 :Bool;
    propagation @4 :C.Mount.Propagation;
    options @5 :UInt64;      # MOUNT_ATTR_* of validate/mount_options.h, no others; the volume has them already
  }

  struct Namespaces {
    network @0 :Source;
    ipc @1 :Source;
    uts @2 :Source;
    pid @3 :Source;
    user @4 :Source;         # host or pod
    enum Source { host @0; pod @1; own @2; target @3; }
    # pid = target: a pidfd of the process whose pid namespace is joined is the last fd.
  }
}
