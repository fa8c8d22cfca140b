@0xb1a5c0de00000002;
# The node's configuration as every process gets it: parsed from TOML by the admin command, which is
# the only one that reads the file, and handed on in a sealed memfd.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");

struct Config {
  rootDir @0 :Text;          # absolute, clean; persistent data
  runDir @1 :Text;           # absolute, clean; sockets and pins, gone at reboot
  runtimes @2 :List(Runtime);
  defaultRuntime @3 :Text;   # name of an entry of runtimes
  cniConfDir @4 :Text;
  cniBinDirs @5 :List(Text);
  registries @6 :List(Registry);
  host @7 :Host;
  allowedUids @8 :List(UInt32);
  # Who may connect to the CRI socket; root is always in it.
  sandboxImage @9 :Text;
  # Reported as pinned where set; no sandbox needs an image.
  runtimeUserAgent @10 :Text;
  audit @11 :Audit;
  imageRules @12 :List(ImageRule);
  # The runtime of pods without a handler: the first rule that matches the image, before the default.
  seccompRoot @13 :Text;     # Localhost profiles lie below it; empty: anywhere
  cdiSpecDirs @14 :List(Text);
  # Later ones win over earlier ones.
  cdiHooks @15 :List(Text);  # absolute paths of programs that CDI hooks may run; others are refused
}

struct Audit {
  on @0 :Bool;
  proceed @1 :Bool;
  # What cannot be recorded is done all the same; otherwise it is refused.
}

struct ImageRule {
  pattern @0 :Text;          # glob over "repository[:tag]", with "docker.io/" and "library/" left out
  runtime @1 :Text;          # name of an entry of runtimes
  preset @2 :Text;           # of which preset it comes; empty: the administrator's own
}

struct Runtime {
  name @0 :Text;             # the handler's name, [a-z0-9-]{1,63}
  type @1 :Type;
  path @2 :Text;             # absolute path of the OCI runtime's program
  version @3 :Text;          # as the program printed it at start; empty: not found
  features @4 :Features;
  enum Type { oci @0; lxc @1; proxmox @2; }

  struct Features {
    # What the program says of itself (`features`, OCI runtime-spec 1.1), asked once at start.
    known @0 :Bool;          # false: it has no such command; the rest is what its version is known for
    ociVersionMax @1 :Text;
    idmapMounts @2 :Bool;
    seccompFlags @3 :List(Text);
  }
}

struct Registry {
  host @0 :Text;             # host[:port] as references name it; "*" for all others
  endpoints @1 :List(Endpoint);
  # Tried in order; empty: the host itself over https.
}

struct Endpoint {
  host @0 :Text;             # host[:port]
  plainHttp @1 :Bool;
  skipVerify @2 :Bool;
  caFile @3 :Text;
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
