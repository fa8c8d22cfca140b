#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "broker/fiber.h"
#include "broker/state/record.h"
#include "broker/state/state.h"
#include "schema/worker/stats.capnp.h"

namespace bulkhead::broker {

struct Broker;

// Use of processors between two looks at a counter.
class CpuRate {
 public:
  // Both in ns, the clock monotonic. Returns the mean use since the look before, in 10^-9 of a
  // processor; looks that follow each other within a second share the same one before. At first
  // since begun_ns, of that clock. -1: there is no interval.
  int64_t Look(int64_t clock_ns, int64_t cpu_ns, int64_t begun_ns);

 private:
  struct Sample {
    int64_t clock_ns = 0;
    int64_t cpu_ns = 0;
  };
  std::optional<Sample> before_;
  std::optional<Sample> last_;
};

// What statistics remember between two calls.
struct StatsMemory {
  struct Disk {
    int64_t at_ns = 0;  // wall clock
    uint64_t bytes = 0;
    uint64_t inodes = 0;
  };

  std::map<std::string, CpuRate> rates;            // by id of container or pod
  std::map<std::string, Disk> disks;               // by id of container
  std::map<std::string, base::UniqueFd> networks;  // by id of pod: asks its network's interfaces
  FiberMutex network_mutex;                        // an answer of a socket is for who asked last
  uint64_t fs_bytes = 0;                           // of the file system with the writable layers
  uint64_t fs_inodes = 0;
  uint64_t fs_inodes_free = 0;
  absl::Time disks_at = absl::InfinitePast();         // when they were last counted
  std::shared_ptr<kj::ForkedPromise<void>> counting;  // under way
};

// What a container's processes have open. -1: not asked for, or not counted to the end.
struct HandleCount {
  int64_t descriptors = -1;
  int64_t sockets = -1;
};

// One look at pods and containers. Indexes are into the worker's answers.
struct ContainerLook {
  ContainerPtr container;
  std::optional<Record<schema::CgroupUsage>> usage;  // none: it does not run
  HandleCount handles;
  int64_t nano_cores = -1;
  StatsMemory::Disk disk;
};
struct PodLook {
  PodPtr pod;
  Record<schema::CgroupUsage> usage;
  int64_t nano_cores = -1;
  std::optional<Record<schema::NetworkUsage>> network;
  std::vector<ContainerLook> containers;
};

// Those of the filter (its state is not looked at) that are made.
absl::StatusOr<std::vector<ContainerLook>> LookAtContainers(Fiber& fiber, Broker& broker,
                                                            schema::ContainerFilter::Reader filter);
absl::StatusOr<std::vector<PodLook>> LookAtPods(Fiber& fiber, Broker& broker,
                                                schema::PodFilter::Reader filter);
// Fills in the handles of their containers, for five seconds at most. Where that fails, they are
// not known, which the log says.
void LookAtHandles(Fiber& fiber, Broker& broker, std::vector<PodLook>& looks);

// Has writable layers counted, unless that was done within the last ten seconds, and waits for it
// for two; the count then goes on. what: those that must not be missing.
void CountDisks(Fiber& fiber, Broker& broker, const std::vector<ContainerPtr>& what);

}  // namespace bulkhead::broker
