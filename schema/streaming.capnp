@0xb1a5c0de0000000a;
# One client's connection and the broker: ipc frames, a request and then its answer.
#
# The streaming daemon hands the broker one socket for each connection that it accepts. The process at the other end
# reads what the client sends and is not trusted: nothing but a token gives it anything, and a token gives one thing once.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

enum StreamVerb {
  exec @0;
  attach @1;
  portForward @2;
}

struct StreamRequest {
  union {
    redeem @0 :Redeem;
    # First, and once. Any failure is NOT_FOUND, and the broker hangs up.
    start @1 :Void;
    # exec: runs the command; attach: joins. Once. The answer's fds, in this order:
    #   exec: a socket that tells the end (ipc/exec_protocol.h); then the terminal, or standard input, output and error as
    #         far as they were asked for. Nothing of a stream passes the broker.
    #   attach: a socket to the monitor (ipc/attach_protocol.h).
    connect @2 :UInt16;
    # portForward: a connection to this port of the pod's loopback addresses. The answer's fd is its socket.
    # UNAVAILABLE: nobody listens.
  }

  struct Redeem {
    verb @0 :StreamVerb;
    token @1 :Data;          # 32 bytes
  }
}

struct StreamAnswer {
  status @0 :Common.Status;
  tty @1 :Bool;              # redeem: which streams the client was promised
  stdin @2 :Bool;
  stdout @3 :Bool;
  stderr @4 :Bool;
  ports @5 :List(UInt16);    # redeem of a port-forward: those that were named when it was asked for
}
