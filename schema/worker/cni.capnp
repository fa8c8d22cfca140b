@0xb1a5c0de00000019;
# cni: speaks CNI without power. Reads the network configuration, composes each plugin's input, reads each
# plugin's output; has the network worker run the plugins. The two talk over a socket pair (NetworkRequest).

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using P = import "/schema/pod.capnp";

struct CniJob {
  # fds: the socket to the network worker, then for load the configuration files' fds in name order.
  operation @0 :Operation;
  fileNames @1 :List(Text);  # load: of the configuration files, in the order of their fds
  attachment @2 :P.NetworkAttachment;      # add, del, check
  configuration @3 :Data;    # gc, status
  valid @4 :List(P.NetworkAttachment);     # gc: the attachments that stay; only podId and interface count

  enum Operation {
    load @0;                 # choose the first good configuration whose plugins are there and speak its version
    add @1;
    del @2;
    check @3;
    gc @4;                   # nothing where the configuration is older than CNI 1.1 or says disableGC
    status @5;               # OK where the configuration is older than CNI 1.1
  }
}

struct CniResult {
  status @0 :Common.Status;  # FAILED_PRECONDITION: no usable configuration
  ips @1 :List(Text);        # add: as text, without prefix length, at most 16, each valid
  result @2 :Data;           # add: of the last plugin that succeeded; at most 64 KiB
  attempted @3 :UInt16;
  # add: plugins that may have left something, also where it failed; 0 after a failure: all was undone.
  networkName @4 :Text;      # load
  configuration @5 :Data;    # load: in list form; at most 128 KiB
  fileName @6 :Text;         # load: the file that was chosen
  refused @7 :List(Text);    # load: the files before it that are no good
  hasStatus @8 :Bool;        # load: of CNI 1.1 or later, so status and gc do something
  disableCheck @9 :Bool;     # load
  steps @10 :List(Common.Step);  # each plugin's run
}
