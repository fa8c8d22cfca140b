#include "broker/operations/stats.h"

#include <algorithm>
#include <utility>

#include "base/cgroup_path.h"
#include "base/status.h"
#include "broker/broker.h"
#include "broker/operations/stats_workers.h"
#include "broker/plan/pod_cgroup.h"
#include "broker/server/filter.h"

namespace bulkhead::broker {
namespace {

constexpr int64_t kShortestIntervalNs = 1000000000;
// As many pods as a worker can be given sockets for.
constexpr size_t kPodsAtOnce = 60;
constexpr size_t kCgroupsAtOnce = 512;

// One that is created waits in its cgroup for its start.
bool HasCgroup(const ContainerObject& container) {
  const auto state = container.record.read().getState();
  return state == schema::Container::State::RUNNING || state == schema::Container::State::CREATED;
}

// Empty: a pod that was made before pods had cgroups of their own.
std::string PodCgroup(const PodObject& pod) {
  const std::string name = pod.record.read().getCgroup();
  return name.empty() ? "" : PathOfPodCgroup(name);
}

int64_t Rate(StatsMemory& memory, const std::string& id, schema::CgroupUsage::Reader usage,
             int64_t begun_at_ns) {
  if (usage.getCpuNs() < 0) return -1;
  const int64_t begun = usage.getClockNs() - (usage.getTimestampNs() - begun_at_ns);
  return memory.rates[id].Look(usage.getClockNs(), usage.getCpuNs(), begun);
}

void Finish(Broker& broker, std::vector<ContainerLook>& looks) {
  StatsMemory& memory = broker.stats;
  for (ContainerLook& look : looks) {
    auto disk = memory.disks.find(look.container->id);
    if (disk != memory.disks.end()) look.disk = disk->second;
    if (!look.usage.has_value()) continue;
    look.nano_cores = Rate(memory, look.container->id, look.usage->read(),
                           look.container->record.read().getStartedAtNs());
  }
}

template <typename Map>
void Prune(Map& map, const State& state) {
  std::erase_if(map, [&state](const auto& entry) {
    return !state.containers().contains(entry.first) && !state.pods().contains(entry.first);
  });
}

void ForgetTheGone(Broker& broker) {
  Prune(broker.stats.rates, broker.state);
  Prune(broker.stats.disks, broker.state);
}

std::vector<ContainerPtr> Matching(const Broker& broker, schema::ContainerFilter::Reader filter) {
  std::vector<ContainerPtr> found;
  for (const auto& [id, container] : broker.state.containers()) {
    if (container->phase == Phase::kCreating || !Matches(*container, filter)) continue;
    found.push_back(container);
  }
  return found;
}

// The usage of those that run, a worker for so many at a time.
absl::Status AskUsage(Fiber& fiber, Broker& broker, std::vector<ContainerLook>& looks) {
  std::vector<ContainerLook*> running;
  for (ContainerLook& look : looks) {
    if (HasCgroup(*look.container)) running.push_back(&look);
  }
  for (size_t begin = 0; begin < running.size(); begin += kCgroupsAtOnce) {
    const size_t end = std::min(begin + kCgroupsAtOnce, running.size());
    std::vector<std::string> cgroups;
    for (size_t i = begin; i < end; ++i) cgroups.push_back(CgroupOf(*running[i]->container));
    BULKHEAD_ASSIGN_OR_RETURN(UsageAnswer answer, AskKernel(fiber, broker, cgroups, {}));
    for (size_t i = begin; i < end; ++i) {
      running[i]->usage = std::move(answer.cgroups[i - begin]);
    }
  }
  return absl::OkStatus();
}

void AddTo(schema::CgroupUsage::Builder sum, schema::CgroupUsage::Reader one) {
  const auto add = [](int64_t a, int64_t b) { return b < 0 ? a : std::max<int64_t>(a, 0) + b; };
  sum.setTimestampNs(one.getTimestampNs());
  sum.setClockNs(one.getClockNs());
  sum.setCpuNs(add(sum.getCpuNs(), one.getCpuNs()));
  sum.setMemoryBytes(add(sum.getMemoryBytes(), one.getMemoryBytes()));
  sum.setInactiveFileBytes(add(sum.getInactiveFileBytes(), one.getInactiveFileBytes()));
  sum.setRssBytes(add(sum.getRssBytes(), one.getRssBytes()));
  sum.setPageFaults(add(sum.getPageFaults(), one.getPageFaults()));
  sum.setMajorPageFaults(add(sum.getMajorPageFaults(), one.getMajorPageFaults()));
  sum.setTasks(add(sum.getTasks(), one.getTasks()));
}

// One worker for so many pods: their cgroups, their containers', and their networks.
absl::Status LookAtBatch(Fiber& fiber, Broker& broker, PodLook* looks, size_t count) {
  std::vector<std::string> cgroups;
  std::vector<PodPtr> networked;
  for (size_t i = 0; i < count; ++i) {
    cgroups.push_back(PodCgroup(*looks[i].pod));
    for (ContainerLook& look : looks[i].containers) {
      cgroups.push_back(HasCgroup(*look.container) ? CgroupOf(*look.container) : "");
    }
    if (HasNetwork(*looks[i].pod)) networked.push_back(looks[i].pod);
  }
  auto held = broker.stats.network_mutex.Acquire(fiber);
  OpenNetworks(fiber, broker, networked);
  std::vector<int> sockets;
  std::vector<std::string> owners;
  for (const PodPtr& pod : networked) {
    auto found = broker.stats.networks.find(pod->id);
    if (found == broker.stats.networks.end()) continue;
    sockets.push_back(found->second.get());
    owners.push_back(pod->id);
  }
  BULKHEAD_ASSIGN_OR_RETURN(UsageAnswer answer, AskKernel(fiber, broker, cgroups, sockets));
  size_t next = 0;
  for (size_t i = 0; i < count; ++i) {
    PodLook& pod = looks[i];
    const bool own = !cgroups[next].empty();
    pod.usage = std::move(answer.cgroups[next++]);
    for (ContainerLook& look : pod.containers) {
      if (!cgroups[next].empty()) look.usage = std::move(answer.cgroups[next]);
      ++next;
      if (!own && look.usage.has_value()) AddTo(pod.usage.edit(), look.usage->read());
    }
    for (size_t n = 0; n < owners.size(); ++n) {
      if (owners[n] == pod.pod->id) pod.network = std::move(answer.networks[n]);
    }
    Finish(broker, pod.containers);
    pod.nano_cores =
        Rate(broker.stats, pod.pod->id, pod.usage.read(), pod.pod->record.read().getCreatedAtNs());
  }
  return absl::OkStatus();
}

}  // namespace

int64_t CpuRate::Look(int64_t clock_ns, int64_t cpu_ns, int64_t begun_ns) {
  if (!last_.has_value()) {
    last_ = Sample{begun_ns, 0};
  }
  if (clock_ns - last_->clock_ns >= kShortestIntervalNs || !before_.has_value()) {
    before_ = std::exchange(last_, Sample{clock_ns, cpu_ns});
  }
  // A counter that went back belongs to another life of the cgroup.
  if (clock_ns <= before_->clock_ns || cpu_ns < before_->cpu_ns) return -1;
  const double share = static_cast<double>(cpu_ns - before_->cpu_ns) /
                       static_cast<double>(clock_ns - before_->clock_ns);
  return static_cast<int64_t>(share * 1e9);
}

absl::StatusOr<std::vector<ContainerLook>> LookAtContainers(
    Fiber& fiber, Broker& broker, schema::ContainerFilter::Reader filter) {
  ForgetTheGone(broker);
  const std::vector<ContainerPtr> matching = Matching(broker, filter);
  CountDisks(fiber, broker, matching);
  std::vector<ContainerLook> looks(matching.size());
  for (size_t i = 0; i < matching.size(); ++i) looks[i].container = matching[i];
  BULKHEAD_RETURN_IF_ERROR(AskUsage(fiber, broker, looks));
  Finish(broker, looks);
  return looks;
}

absl::StatusOr<std::vector<PodLook>> LookAtPods(Fiber& fiber, Broker& broker,
                                                schema::PodFilter::Reader filter) {
  ForgetTheGone(broker);
  std::vector<PodLook> looks;
  std::vector<ContainerPtr> containers;
  for (const auto& [id, pod] : broker.state.pods()) {
    if (pod->phase == Phase::kCreating || !Matches(*pod, filter)) continue;
    PodLook look;
    look.pod = pod;
    for (const ContainerPtr& container : broker.state.ContainersOf(id)) {
      if (container->phase == Phase::kCreating) continue;
      containers.push_back(container);
      look.containers.emplace_back().container = container;
    }
    looks.push_back(std::move(look));
  }
  CountDisks(fiber, broker, containers);
  for (size_t begin = 0; begin < looks.size();) {
    size_t count = 0, cgroups = 0;
    while (begin + count < looks.size() && count < kPodsAtOnce) {
      cgroups += 1 + looks[begin + count].containers.size();
      if (count > 0 && cgroups > kCgroupsAtOnce) break;
      ++count;
    }
    BULKHEAD_RETURN_IF_ERROR(LookAtBatch(fiber, broker, &looks[begin], count));
    begin += count;
  }
  return looks;
}

}  // namespace bulkhead::broker
