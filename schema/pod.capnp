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
  # node or pod.
  overhead @20 :Resources;
  resources @21 :Resources;
  # Of all containers together, without the overhead.
  idMapping @22 :IdMapping;
  # Of a pod user namespace, for uids and gids alike; length 0: the runtime chooses a range of the node's.
}

struct IdMapping {
  # Ids 0 to length-1 of a user namespace are hostId to hostId+length-1 of the node.
  hostId @0 :UInt32;
  length @1 :UInt32;
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
  networkName @6 :Text;      # of the CNI network that it is attached to; none for host network
  cgroup @7 :Text;           # path below each hierarchy, or with the systemd driver the slice's name
  overhead @8 :Resources;  # as they are now: an update changes them and leaves config alone
  resources @9 :Resources;
  idMapping @10 :IdMapping;   # of its user namespace; length 0: the node's

  enum State { ready @0; notReady @1; }
}

struct NetworkAttachment {
  # One pod on one CNI network: all that DEL needs, whatever has become of the pod, the configuration and the node.
  # Written before ADD, deleted when DEL is done: in between it is a debt. Also the stored record (state/).
  podId @0 :Text;            # CNI_CONTAINERID
  podName @1 :Text;
  podNamespace @2 :Text;
  podUid @3 :Text;
  interface @4 :Text;        # CNI_IFNAME
  bootId @5 :Data;           # of the boot in which the pod's network namespace was made
  networkName @6 :Text;
  configuration @7 :Data;    # the network's list of plugins, as the cni worker's load returned it; opaque to others
  capabilities @8 :NetworkCapabilities;
  attempted @9 :UInt16;      # plugins of the chain, from the first, that may have left something
  result @10 :Data;          # of ADD, as the cni worker returned it; empty: none
  due @11 :Bool;             # the pod needs the network no longer: DEL is to be done
  dueSinceNs @12 :Int64;     # wall clock
  failures @13 :UInt32;      # of DEL, so far
  lastError @14 :Text;
}

struct NetworkCapabilities {
  # What the pod says about each of CNI's well-known capabilities. Empty or 0: nothing.
  portMappings @0 :List(PortMapping);
  dnsServers @1 :List(Text);
  dnsSearches @2 :List(Text);
  dnsOptions @3 :List(Text);
  cgroupPath @4 :Text;
  ingressBitsPerSecond @5 :UInt64;
  egressBitsPerSecond @6 :UInt64;
  ips @7 :List(Text);        # addresses with or without prefix length
  mac @8 :Text;
  ipRanges @9 :List(Text);   # subnets, one of each family
}

struct PodFilter {
  id @0 :Text;               # full id or a unique prefix; empty: any
  hasState @1 :Bool;
  state @2 :Pod.State;
  labels @3 :List(Common.Label);   # all must match
}
