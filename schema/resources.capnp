@0xb1a5c0de0000000c;
# What a container or a pod may use.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bulkhead::schema");
using Common = import "/schema/common.capnp";

struct Resources {
  # CRI LinuxContainerResources. 0 everywhere: not set.
  cpuPeriod @0 :Int64;       # microseconds
  cpuQuota @1 :Int64;        # microseconds per period
  cpuShares @2 :Int64;
  memoryLimit @3 :Int64;     # bytes
  oomScoreAdj @4 :Int64;
  cpusetCpus @5 :Text;
  cpusetMems @6 :Text;
  memorySwapLimit @7 :Int64; # bytes, memory plus swap
  hugepageLimits @8 :List(HugepageLimit);
  unified @9 :List(Common.Label);
}

struct HugepageLimit {
  pageSize @0 :Text;         # "2MB", "1GB"
  limit @1 :UInt64;          # bytes
}
