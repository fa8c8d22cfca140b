@0xb1a5c0de00000042;
# stats: reads the kernel's counters of cgroups and of network interfaces.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";
using Conf = import "/schema/config.capnp";

struct StatsJob {
  cgroupMode @0 :Conf.Host.CgroupMode;
  cgroups @1 :List(Text);    # clean absolute paths below each hierarchy; at most 1024
  processesOf @2 :List(Text);  # as cgroups, at most 250: their cgroup.procs are opened and not read
  # fds: at most 64 route-netlink sockets, one for each network namespace that is asked about.
}

struct StatsResult {
  status @0 :Common.Status;
  cgroups @1 :List(CgroupUsage);
  networks @2 :List(NetworkUsage);
  # Both in the order of the job.
  opened @3 :List(UInt32);   # which of processesOf the descriptors that come with this are, in their order
}

struct CgroupUsage {
  # -1 everywhere: the kernel does not say. A cgroup that is gone says nothing at all.
  timestampNs @0 :Int64;     # wall clock
  clockNs @1 :Int64;         # CLOCK_MONOTONIC, for intervals
  cpuNs @2 :Int64 = -1;      # time of all processors
  cpuUserNs @3 :Int64 = -1;
  cpuSystemNs @4 :Int64 = -1;
  cpuPeriods @5 :Int64 = -1;
  cpuThrottledPeriods @6 :Int64 = -1;
  cpuThrottledNs @7 :Int64 = -1;
  memoryBytes @8 :Int64 = -1;
  memoryLimit @9 :Int64 = -1;      # -1: none
  inactiveFileBytes @10 :Int64 = -1;
  rssBytes @11 :Int64 = -1;        # anonymous memory
  cacheBytes @12 :Int64 = -1;
  mappedFileBytes @13 :Int64 = -1;
  pageFaults @14 :Int64 = -1;
  majorPageFaults @15 :Int64 = -1;
  swapBytes @16 :Int64 = -1;
  swapLimit @17 :Int64 = -1;       # of swap alone; -1: none
  tasks @18 :Int64 = -1;           # processes and their threads, in cgroups below as well
  ioReadBytes @19 :Int64 = -1;
  ioWriteBytes @20 :Int64 = -1;
  ioReads @21 :Int64 = -1;
  ioWrites @22 :Int64 = -1;
  memoryFailures @23 :Int64 = -1;  # how often the limit was hit
  oomKills @24 :Int64 = -1;
  cpuPressure @25 :Pressure;
  memoryPressure @26 :Pressure;
  ioPressure @27 :Pressure;
  tasksLimit @28 :Int64 = -1;      # -1: none
  processes @29 :Int64 = -1;       # in this very cgroup
  memoryPeakBytes @30 :Int64 = -1;
  memoryKernelBytes @31 :Int64 = -1;
}

struct Pressure {
  # The kernel's pressure stall information (Documentation/accounting/psi.rst).
  known @0 :Bool;
  some @1 :Stall;
  full @2 :Stall;
  struct Stall {
    totalUs @0 :UInt64;      # microseconds
    avg10 @1 :Float64;       # percent
    avg60 @2 :Float64;
    avg300 @3 :Float64;
  }
}

struct NetworkUsage {
  timestampNs @0 :Int64;
  interfaces @1 :List(Interface);
  # Without loopback; at most 64. Names are the pod's own choice.
  struct Interface {
    name @0 :Text;
    rxBytes @1 :UInt64;
    rxPackets @2 :UInt64;
    rxErrors @3 :UInt64;
    rxDropped @4 :UInt64;
    txBytes @5 :UInt64;
    txPackets @6 :UInt64;
    txErrors @7 :UInt64;
    txDropped @8 :UInt64;
  }
}
