@0xb1a5c0de00000009;
# What the broker has recorded of each operation that changes something: an intent, durable before any worker gets a
# job, and its result. The auditor stores it unread; `bulkhead audit show` prints it.
#
# Never in it: environment, contents of streams or files, credentials.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct AuditRecord {
  phase @0 :Phase;
  operation @1 :Text;        # the CRI call's name, or "Recover", "Start"; "ExecStream", "AttachStream",
                             # "PortForwardStream" where a client has come with its token; "PolicyChange"
  operationId @2 :Data;      # 16 random bytes that tie a result to its intent
  actor @3 :Actor;
  podId @4 :Text;
  containerId @5 :Text;
  claimed @6 :Claimed;
  image @7 :Text;            # id, or the reference of a pull
  argv @8 :List(Text);       # exec; at most 64 words of 256 bytes
  effect @9 :Effect;         # result of a create
  code @10 :UInt16;          # result: canonical code, 0 is OK
  message @11 :Text;         # result: the refusal, at most 1 KiB
  durationUs @12 :Int64;     # result
  policyHash @13 :Data;      # of the pods' policy that was in force; for "PolicyChange" the new one
  rule @14 :Text;            # result: the key of the policy that refused it; empty: none did

  enum Phase { intent @0; result @1; event @2; }
  enum Actor { kubelet @0; admin @1; system @2; }
}

struct Claimed {
  # Whom kubelet says that this is for. Nothing here was checked, and nothing can be.
  namespace @0 :Text;
  pod @1 :Text;
  uid @2 :Text;
  container @3 :Text;
}

struct Effect {
  # What was made, as the broker gave it to the point of power.
  configDigest @0 :Common.Digest;   # of the config.json that the runtime read
  uid @1 :UInt32;
  gid @2 :UInt32;
  capabilities @3 :UInt64;   # bounding set
  seccomp @4 :Text;          # "runtime-default", "unconfined", "localhost"
  noNewPrivileges @5 :Bool;
  privileged @6 :Bool;
  hostNetwork @7 :Bool;
  hostPid @8 :Bool;
  hostIpc @9 :Bool;
  readOnlyRootfs @10 :Bool;
  mounts @11 :List(Mount);
  devices @12 :List(Text);

  struct Mount {
    source @0 :Text;
    destination @1 :Text;
    readOnly @2 :Bool;
  }
}
