@0xb1a5c0de0000001a;
# network: runs CNI plugins in the host's network namespace for one pod, and reads nothing that they print.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct NetworkJob {
  # From the broker. One fd: the socket to the cni worker. The network namespace is the pod's pin.
  podId @0 :Text;            # empty: for no pod, and then only version, gc and status will run
  podName @1 :Text;
  podNamespace @2 :Text;
  podUid @3 :Text;
  interface @4 :Text;        # "eth0"
  binDirs @5 :List(Text);    # absolute; searched in order
  pluginTimeoutMs @6 :UInt32;
  netnsGone @7 :Bool;        # del without a namespace (after a reboot): CNI_NETNS is empty
  confDir @8 :Text;
  # Not empty: run nothing (and take no fd), but open the network configuration files of this directory
  # (*.conf, *.conflist, *.json; at most 32, in name order) and pass them on: they are readable by root alone.
}

struct NetworkRequest {
  # From the cni worker, which is not trusted: run one plugin.
  plugin @0 :Text;           # [A-Za-z0-9._-]{1,64}, no "." or ".."
  command @1 :Command;
  stdin @2 :Data;            # at most 256 KiB, passed on unread
  enum Command { add @0; del @1; check @2; version @3; gc @4; status @5; }
}

struct NetworkReply {
  status @0 :Common.Status;  # NOT_FOUND: no such plugin; DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED: output over 256 KiB
  exitCode @1 :Int32;
  stdout @2 :Data;
}

struct NetworkResult {
  # To the broker, when the cni worker has closed its end; or at once, with the files' fds, for confDir.
  status @0 :Common.Status;
  fileNames @1 :List(Text);
}
