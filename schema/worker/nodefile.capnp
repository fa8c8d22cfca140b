@0xb1a5c0de00000031;
# nodefile: opens configuration files of the node that root alone may read, and hands them on unread.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct NodefileJob {
  union {
    seccompProfile @0 :Profile;
    # Answer: one fd.
    cdiSpecs @1 :List(Text);
    # Directories, absolute and clean; a missing one holds nothing. Answer: one fd for each *.json and *.yaml.
  }

  struct Profile {
    path @0 :Text;             # absolute, clean
    root @1 :Text;             # it must lie below, links included; empty: anywhere
  }
}

struct NodefileResult {
  # Each file is regular, not for everybody to write, not empty and at most 1 MiB; open read-only. CDI specs are
  # also root's, and writable by root alone.
  status @0 :Common.Status;    # FAILED_PRECONDITION, NOT_FOUND name the path
  files @1 :List(File);        # cdiSpecs: of the fds, in order; of a directory by name

  struct File {
    name @0 :Text;
    directory @1 :UInt16;      # index among the job's
  }
}
