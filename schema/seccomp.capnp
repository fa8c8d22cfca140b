@0xb1a5c0de00000034;
# A seccomp profile in typed form (OCI runtime-spec, linux.seccomp): what nodeconfig read in a profile of the node,
# and launch writes into config.json.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");

struct SeccompFilter {
  defaultAction @0 :Action;
  hasDefaultErrno @1 :Bool;
  defaultErrno @2 :UInt32;
  architectures @3 :List(Text);   # "SCMP_ARCH_X86_64"
  flags @4 :List(Text);           # "SECCOMP_FILTER_FLAG_LOG"
  rules @5 :List(Rule);

  enum Action {
    # Not among them: SCMP_ACT_NOTIFY, which hands calls to a listener of the profile author's.
    killThread @0;                # SCMP_ACT_KILL, SCMP_ACT_KILL_THREAD
    killProcess @1;
    trap @2;
    errno @3;
    trace @4;
    log @5;
    allow @6;
  }
  struct Rule {
    names @0 :List(Text);         # of calls; not empty. Those that a kernel does not know are skipped
    action @1 :Action;
    hasErrno @2 :Bool;
    errno @3 :UInt32;
    args @4 :List(Argument);      # all must hold
  }
  struct Argument {
    index @0 :UInt8;              # 0 to 5
    value @1 :UInt64;
    valueTwo @2 :UInt64;          # of maskedEqual: what the masked argument must be
    op @3 :Compare;
  }
  enum Compare {
    notEqual @0; less @1; lessOrEqual @2; equal @3; greaterOrEqual @4; greater @5; maskedEqual @6;
  }
}
