@0xb1a5c0de00000032;
# nodeconfig: parses configuration files of the node: a seccomp profile, or CDI specs. No power, no file system.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using S = import "/schema/seccomp.capnp";
using Cdi = import "/schema/cdi.capnp";
using File = import "/schema/worker/nodefile.capnp";

struct NodeconfigJob {
  union {
    seccomp @0 :Seccomp;
    # One fd: the profile, in JSON.
    cdi @1 :Cdi;
    # One fd for each of files: the specs, in JSON or YAML.
  }

  struct Seccomp {
    capabilities @0 :UInt64;   # of the container, for rules that depend on them
    architecture @1 :Text;     # the node's: "amd64"
    kernel @2 :Text;           # the node's release: "6.1.0-13-amd64"
  }
  struct Cdi {
    devices @0 :List(Text);    # qualified names that are asked for
    files @1 :List(File.NodefileResult.File);
  }
}

struct NodeconfigResult {
  status @0 :Common.Status;
  # INVALID_ARGUMENT: malformed, or says something that cannot be kept to. NOT_FOUND: no such device.
  union {
    none @1 :Void;
    seccomp @2 :S.SeccompFilter;
    cdi @3 :Cdi.CdiEdits;
  }
}
