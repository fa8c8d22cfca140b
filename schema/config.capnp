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
  cniPluginTimeoutMs @12 :UInt32;    # of one plugin
  cniRetryMaxSeconds @13 :UInt32;    # longest pause between tries of a DEL that failed
  cniIpsAnnotation @14 :Text;        # of a pod: the addresses it wants; empty: no such annotation
  cniMacAnnotation @15 :Text;        # likewise: its hardware address
  subordinateFirst @16 :UInt32;
  subordinateCount @17 :UInt32;
  # Ids of the node for pods' user namespaces that name no range of their own; count 0: none.
}

struct Audit {
  on @0 :Bool;
  proceed @1 :Bool;
  # What cannot be recorded is done all the same; otherwise it is refused.
}

struct Runtime {
  name @0 :Text;             # the handler's name, [a-z0-9-]{1,63}
  type @1 :Type;
  path @2 :Text;             # absolute path of the OCI runtime's program
  version @3 :Text;          # as the program printed it at start; empty: not found
  enum Type { oci @0; lxc @1; proxmox @2; }
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
  enum CgroupMode {
    v1 @0;                   # v1 hierarchies alone
    hybrid @1;               # v1 hierarchies plus a cgroup2 mount, hidden from the OCI runtime
    v2 @2;
  }
  enum CgroupDriver { cgroupfs @0; systemd @1; }
}
