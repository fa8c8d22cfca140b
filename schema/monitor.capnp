@0xb1a5c0de00000008;
# The broker and a container's monitor, over <run_dir>/monitor/<container id>.
#
# The monitor listens; only the broker's uid may connect. It holds the container's streams and its exit code
# until the broker has stored that code and says so. Messages are ipc frames.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");

struct MonitorRequest {
  union {
    watch @0 :Void;
    # Answer with the state now, and again at each change, until the connection ends.
    # The first answer carries a pidfd of the container's first process.
    acknowledge @1 :Void;
    # The exit code is stored: the monitor may end.
    reopenLog @2 :Void;
    # One fd comes with it: the new log file, opened for appending. Answered with the state.
    started @3 :Void;
    # The runtime has started the container: counts as running from now on.
    attach @4 :Attach;
    # One fd comes with it: a client's end of ipc/attach_protocol.h. No answer; turned away by closing it.
  }

  struct Attach {
    stdin @0 :Bool;          # what the client gives and gets
    stdout @1 :Bool;
    stderr @2 :Bool;
  }
}

struct MonitorState {
  state @0 :State;
  exitCode @1 :Int32;        # 128 + signal where a signal ended it
  oomKilled @2 :Bool;
  finishedAtNs @3 :Int64;    # wall clock
  startedAtNs @4 :Int64;
  droppedLogBytes @5 :UInt64;
  # Output that could not be written (disk full).
  reopened @6 :UInt32;       # how often a reopenLog was obeyed; nothing goes to the old file any more
  refused @7 :UInt32;        # and how often not: what came was no log file
  enum State { created @0; running @1; exited @2; }
}

struct MonitorJob {
  # What launch leaves to the monitor it becomes, in a sealed memfd at fd 5.
  containerId @0 :Text;
  pid @1 :Int32;             # the container's first process, a child of the monitor
  tty @2 :Bool;
  brokerUid @3 :UInt32;
  cgroupVersion @4 :UInt8;   # which file tells of an OOM kill at the memory-events fd: 1 or 2
  stdinOnce @5 :Bool;        # stdin ends with the first attached client's
}
