#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker.h"
#include "broker/operations/stats.h"

// What statistics have workers do.
namespace bulkhead::broker {

struct UsageAnswer {
  std::vector<Record<schema::CgroupUsage>> cgroups;
  std::vector<Record<schema::NetworkUsage>> networks;
};

// cgroups: paths below each hierarchy; an empty one has no counters, and so none in the answer.
// sockets: at most 64, the caller's. Both answers in the order asked.
absl::StatusOr<UsageAnswer> AskKernel(Fiber& fiber, Broker& broker,
                                      const std::vector<std::string>& cgroups,
                                      const std::vector<int>& sockets);

// Path of a container's cgroup below each hierarchy.
std::string CgroupOf(const ContainerObject& container);

// Whether it is ready and has a network of its own.
bool HasNetwork(const PodObject& pod);
// Gets what is missing of the pods' sockets in StatsMemory::networks. Where that fails, such a pod
// has no numbers for its network.
void OpenNetworks(Fiber& fiber, Broker& broker, const std::vector<PodPtr>& pods);

}  // namespace bulkhead::broker
