@0xb1a5c0de00000019;
# cni: speaks CNI without power. Reads the network configuration, composes each plugin's input, reads each
# plugin's output; has the network worker run the plugins. The two talk over a socket pair (NetworkRequest).

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using P = import "/schema/pod.capnp";

struct CniJob {
  # fds: the socket to the network worker (absent for load), then the configuration files' fds in name order
  # (absent for del where record is given).
  operation @0 :Operation;
  podId @1 :Text;
  podName @2 :Text;
  podNamespace @3 :Text;
  podUid @4 :Text;
  portMappings @5 :List(P.PortMapping);
  dnsServers @6 :List(Text);
  dnsSearches @7 :List(Text);
  dnsOptions @8 :List(Text);
  record @9 :Data;           # for del: what add returned
  fileNames @10 :List(Text); # of the configuration files, in the order of their fds
  cgroupPath @11 :Text;

  enum Operation {
    load @0;                 # check the configuration only
    add @1;
    del @2;
  }
}

struct CniResult {
  status @0 :Common.Status;  # FAILED_PRECONDITION: no usable configuration
  ips @1 :List(Text);        # as text, without prefix length, at most 16, each valid
  record @2 :Data;           # opaque, at most 256 KiB: what del needs
  networkName @3 :Text;
}
