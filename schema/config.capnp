@0xb1a5c0de00000002;
# The node's configuration as every process gets it: parsed from TOML by the admin command, which is
# the only one that reads the file, and handed on in a sealed memfd.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Policy = import "/schema/policy.capnp";

struct Config {
  rootDir @0 :Text;          # absolute, clean; persistent data
  runDir @1 :Text;           # absolute, clean; sockets and pins, gone at reboot
  runtimes @2 :List(Runtime);
  defaultRuntime @3 :Text;   # name of an entry of runtimes
  cniConfDir @4 :Text;
  cniBinDirs @5 :List(Text);
  pulls @6 :Pulls;
  host @7 :Host;
  allowedUids @8 :List(UInt32);
  # Who may connect to the CRI socket; root is always in it.
  sandboxImage @9 :Text;
  # Reported as pinned where set; no sandbox needs an image.
  runtimeUserAgent @10 :Text;
  audit @11 :Audit;
  layers @12 :Layers;
  streaming @13 :Streaming;
  imageRules @14 :List(ImageRule);
  # The runtime of pods without a handler: the first rule that matches the image, before the default.
  seccompRoot @15 :Text;     # Localhost profiles lie below it; empty: anywhere
  cdiSpecDirs @16 :List(Text);
  # Later ones win over earlier ones.
  cdiHooks @17 :List(Text);  # absolute paths of programs that CDI hooks may run; others are refused
  pinnedImages @18 :List(Text);
  # Globs (security/policy/glob.h) over image references; what fits is reported as pinned.
  imagePolicy @19 :Policy.ImagePolicy;
  keepLayers @20 :Bool;
  # Layers are kept as they came, so that images can be exported.
  cniPluginTimeoutMs @21 :UInt32;    # of one plugin
  cniRetryMaxSeconds @22 :UInt32;    # longest pause between tries of a DEL that failed
  cniIpsAnnotation @23 :Text;        # of a pod: the addresses it wants; empty: no such annotation
  cniMacAnnotation @24 :Text;        # likewise: its hardware address
  subordinateFirst @25 :UInt32;
  subordinateCount @26 :UInt32;
  # Ids of the node for pods' user namespaces that name no range of their own; count 0: none.
}

struct Audit {
  on @0 :Bool;
  proceed @1 :Bool;
  # What cannot be recorded is done all the same; otherwise it is refused.
}

struct Streaming {
  url @0 :Text;              # "http://127.0.0.1:34567": where the streaming daemon listens
  forwardToNode @1 :Bool;    # whether port-forwards may reach pods on the node's network
}

struct ImageRule {
  pattern @0 :Text;          # glob over "repository[:tag]", with "docker.io/" and "library/" left out
  runtime @1 :Text;          # name of an entry of runtimes
  preset @2 :Text;           # of which preset it comes; empty: the administrator's own
}

struct Runtime {
  name @0 :Text;             # the handler's name, [a-z0-9-]{1,63}
  type @1 :Type;
  path @2 :Text;             # absolute path of the OCI runtime's program; of type lxc: of Bulkhead's own
  version @3 :Text;          # as the program printed it at start; empty: not found
  features @4 :Features;
  userNamespaceOptional @5 :Bool;
  # Of type lxc: whether its containers may be in pods without a user namespace. Otherwise a pod with this handler gets one.
  enum Type { oci @0; lxc @1; proxmox @2; }

  struct Features {
    # What the program says of itself (`features`, OCI runtime-spec 1.1), asked once at start.
    known @0 :Bool;          # false: it has no such command; the rest is what its version is known for
    ociVersionMax @1 :Text;
    idmapMounts @2 :Bool;
    seccompFlags @3 :List(Text);
  }
}

struct Pulls {
  # How images are pulled. How registries are reached stands in registries.capnp, which only fetch workers get.
  atOnce @0 :UInt16;         # pulls of different images; others wait
  deadlineSeconds @1 :UInt32;           # for one whole pull
  minimumBytesPerSecond @2 :UInt32;     # of each transfer, over minimumWindowSeconds; 0: no rule
  minimumWindowSeconds @3 :UInt32;
}

struct Host {
  # What the kernel and init offer, found out at start by the admin command.
  cgroupMode @0 :CgroupMode;
  cgroupDriver @1 :CgroupDriver;
  kernel @2 :Text;
  selinux @3 :Bool;          # enabled in the kernel
  apparmor @4 :Bool;
  hostname @5 :Text;         # as it was at start
  enum CgroupMode {
    v1 @0;                   # v1 hierarchies alone
    hybrid @1;               # v1 hierarchies plus a cgroup2 mount, hidden from the OCI runtime
    v2 @2;
  }
  enum CgroupDriver { cgroupfs @0; systemd @1; }
}

struct Layers {
  # How layers are stored, how many of an image are made at once, and what they may cost.
  driver @0 :Driver;
  parallel @1 :UInt32;       # at least 1
  maxBytes @2 :UInt64;       # of one layer: file contents, link targets, xattrs
  maxEntries @3 :UInt64;     # of one layer
  maxRatio @4 :UInt32;       # uncompressed to compressed, from 1 MiB on; 0: no rule
  maxDepth @5 :UInt32;       # directories above an entry
  maxXattrBytes @6 :UInt64;  # of one entry
  maxCpuSeconds @7 :UInt32;  # of each process that works on one layer; 0: no rule
  maxSeconds @8 :UInt32;     # for one layer
  maxImageBytes @9 :UInt64;  # of all layers of one image that are made for it
  maxImageEntries @10 :UInt64;
  enum Driver { directory @0; image @1; }   # image: EROFS
}
