@0xb1a5c0de00000003;
# A pod sandbox: what kubelet asked for, and what became of it.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using Resources = import "/schema/resources.capnp".Resources;

enum NamespaceMode {
  # As CRI's NamespaceMode, with its numbers.
  pod @0;
  container @1;
  node @2;
  target @3;
}

struct PodConfig {
  # CRI PodSandboxConfig, decoded and validated by the frontend, validated again by the broker.
  name @0 :Text;
  uid @1 :Text;
  namespace @2 :Text;
  attempt @3 :UInt32;
  # (name, namespace, uid, attempt) is the key under which a retried request joins the first.
  hostname @4 :Text;         # empty: the node's
  logDirectory @5 :Text;     # absolute, clean, or empty: no logs
  dnsServers @6 :List(Text);
  dnsSearches @7 :List(Text);
  dnsOptions @8 :List(Text);
  portMappings @9 :List(PortMapping);
  labels @10 :List(Common.Label);
  annotations @11 :List(Common.Label);
  cgroupParent @12 :Text;
  sysctls @13 :List(Common.Label);
  network @14 :NamespaceMode;
  pid @15 :NamespaceMode;
  ipc @16 :NamespaceMode;
  privileged @17 :Bool;
  handler @18 :Text;         # runtime handler; empty: by image, else the default
  userNamespace @19 :NamespaceMode = node;
  # Only node for now: a pod user namespace is refused.
  overhead @20 :Resources;
  resources @21 :Resources;
  # Of all containers together, without the overhead.
}

struct PodIdentity {
  # Of PodConfig, what tells one sandbox from another. An empty name: not given.
  name @0 :Text;
  namespace @1 :Text;
  uid @2 :Text;
  attempt @3 :UInt32;
}

struct PortMapping {
  protocol @0 :Protocol;
  containerPort @1 :UInt16;
  hostPort @2 :UInt16;       # 0: none
  hostIp @3 :Text;
  enum Protocol { tcp @0; udp @1; sctp @2; }
}

struct Pod {
  # One sandbox as it is now; also the stored record (state/), so changes follow the schema rules.
  id @0 :Text;               # 64 lower-case hex digits
  config @1 :PodConfig;
  state @2 :State;
  createdAtNs @3 :Int64;     # wall clock, ns since 1970
  ips @4 :List(Text);        # the first is the primary; none for host network
  bootId @5 :Data;           # kernel boot id when the sandbox was made; another one now means a reboot
  cniRecord @6 :Data;
  # What the unprivileged CNI worker needs to undo the network (its own encoding, opaque here).

  cgroup @7 :Text;           # path below each hierarchy, or with the systemd driver the slice's name
  overhead @8 :Resources;  # as they are now: an update changes them and leaves config alone
  resources @9 :Resources;

  enum State { ready @0; notReady @1; }
}

struct PodFilter {
  id @0 :Text;               # full id or a unique prefix; empty: any
  hasState @1 :Bool;
  state @2 :Pod.State;
  labels @3 :List(Common.Label);   # all must match
}
