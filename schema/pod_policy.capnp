@0xb1a5c0de00000010;
# The most that pods get on this node ([pods] of policy.toml). `bulkhead up` writes it; the broker gets it in a sealed
# memfd, sandbox, mount and launch read it from <run_dir>/pod-policy, which root alone can write: what they refuse does not
# depend on the broker. Written and read by programs of one build.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");

struct PodPolicies {
  node @0 :PodPolicy;
  namespaces @1 :List(Section);
  namespacesTrusted @2 :Bool;
  # A section may grant more than node does; otherwise its pods must keep to both.
  hash @3 :Data;
  # SHA-256 of the policy file; without one, of the profile's name.

  programs @4 :List(Program);
  # The OCI runtimes of the configuration: launch runs no other program.

  struct Program {
    handler @0 :Text;
    path @1 :Text;
  }
  struct Section {
    namespace @0 :Text;
    policy @1 :PodPolicy;
  }
}

struct PodPolicy {
  # security/policy/pod_policy.h says what each field means.
  table @0 :Text;            # "pods", "pods.namespace.kube-system"
  profile @1 :Text;
  flags @2 :UInt64;          # bit n: the n-th of security::PodFlags()
  capabilities @3 :UInt64;
  kubeletRoot @4 :Text;
  hostPaths @5 :List(HostPath);
  logDirs @6 :List(Text);
  devices @7 :List(Text);
  cdi @8 :List(Text);
  sysctls @9 :List(Text);
  hostPorts @10 :List(Ports);
  runtimes @11 :List(Text);
  memoryMax @12 :UInt64;
  cpuMax @13 :UInt64;
  pidsMax @14 :UInt64;

  struct HostPath {
    prefix @0 :Text;
    readOnly @1 :Bool;
  }
  struct Ports {
    first @0 :UInt16;
    last @1 :UInt16;
  }
}
