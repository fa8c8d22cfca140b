#include "broker/operations/stats_workers.h"

#include <algorithm>

#include "base/cgroup_path.h"
#include "base/status.h"
#include "broker/spawner/worker.h"
#include "schema/worker/sandbox.capnp.h"
#include "schema/worker/usage.capnp.h"

namespace bulkhead::broker {
namespace {

constexpr absl::Duration kDisksKeep = absl::Seconds(10);
constexpr absl::Duration kDisksPatience = absl::Seconds(2);
constexpr uint32_t kLayerPatienceMs = 2000;
constexpr size_t kLayersAtOnce = 1024;
constexpr size_t kMostSockets = 60;  // of one message

void Report(absl::string_view what, const absl::Status& status) {
  if (status.ok()) return;
  base::Log(base::Severity::kWarning, what, {{"why", status.message()}});
}

absl::Status CountSome(Fiber& fiber, Broker& broker, const std::vector<std::string>& ids) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::UsageJob>();
  auto list = job.initContainers(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) list.set(i, ids[i]);
  job.setPatienceMs(kLayerPatienceMs);
  BULKHEAD_ASSIGN_OR_RETURN(auto worker,
                            Worker::Start(fiber, broker.spawner, security::Kind::kUsage, message));
  return worker->Finish<schema::UsageResult>(
      fiber, [&](schema::UsageResult::Reader result, std::vector<base::UniqueFd>&) {
        auto layers = result.getLayers();
        if (layers.size() != ids.size()) return absl::InternalError("usage: not as many as asked");
        broker.stats.fs_bytes = result.getFsBytes();
        broker.stats.fs_inodes = result.getFsInodes();
        broker.stats.fs_inodes_free = result.getFsInodesFree();
        for (size_t i = 0; i < ids.size(); ++i) {
          // What could not be counted to its end keeps the last full count, where there is one.
          StatsMemory::Disk& disk = broker.stats.disks[ids[i]];
          if (!layers[i].getComplete() && layers[i].getBytes() <= disk.bytes) continue;
          disk = {WallClockNs(), layers[i].getBytes(), layers[i].getInodes()};
        }
        return absl::OkStatus();
      });
}

void CountAll(Fiber& fiber, Broker& broker) {
  std::vector<std::string> ids;
  for (const auto& [id, container] : broker.state.containers()) {
    if (container->phase != Phase::kCreating) ids.push_back(id);
  }
  // Those that were not reached last time come first.
  std::map<std::string, StatsMemory::Disk>& disks = broker.stats.disks;
  std::stable_sort(ids.begin(), ids.end(), [&disks](const std::string& a, const std::string& b) {
    return disks[a].at_ns < disks[b].at_ns;
  });
  for (size_t begin = 0; begin < ids.size(); begin += kLayersAtOnce) {
    const auto first = ids.begin() + static_cast<ptrdiff_t>(begin);
    const size_t count = std::min(kLayersAtOnce, ids.size() - begin);
    Report("could not count writable layers",
           CountSome(fiber, broker, {first, first + static_cast<ptrdiff_t>(count)}));
  }
}

absl::Status OpenSome(Fiber& fiber, Broker& broker, const std::vector<PodPtr>& pods) {
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<schema::SandboxJob>().initWatchNetworks(pods.size());
  for (size_t i = 0; i < pods.size(); ++i) list.set(i, pods[i]->id);
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kSandbox, message, {},
                                 {.result = {.max_fds = static_cast<int>(pods.size())}}));
  return worker->Finish<schema::SandboxResult>(
      fiber, [&](schema::SandboxResult::Reader, std::vector<base::UniqueFd>& fds) {
        if (fds.size() != pods.size()) return absl::InternalError("sandbox: not as many as asked");
        for (size_t i = 0; i < pods.size(); ++i) {
          // Stopped meanwhile: the socket would keep its network alive.
          if (HasNetwork(*pods[i])) broker.stats.networks[pods[i]->id] = std::move(fds[i]);
        }
        return absl::OkStatus();
      });
}

}  // namespace

absl::StatusOr<UsageAnswer> AskKernel(Fiber& fiber, Broker& broker,
                                      const std::vector<std::string>& cgroups,
                                      const std::vector<int>& sockets) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::StatsJob>();
  job.setCgroupMode(broker.config.getHost().getCgroupMode());
  std::vector<size_t> asked;
  for (size_t i = 0; i < cgroups.size(); ++i) {
    if (!cgroups[i].empty()) asked.push_back(i);
  }
  auto paths = job.initCgroups(asked.size());
  for (size_t i = 0; i < asked.size(); ++i) paths.set(i, cgroups[asked[i]]);
  UsageAnswer answer;
  answer.cgroups.resize(cgroups.size());
  if (asked.empty() && sockets.empty()) return answer;
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kStats, message, sockets));
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::StatsResult>(
      fiber, [&](schema::StatsResult::Reader result, std::vector<base::UniqueFd>&) {
        auto usages = result.getCgroups();
        auto networks = result.getNetworks();
        if (usages.size() != asked.size() || networks.size() != sockets.size()) {
          return absl::InternalError("stats: not as many as asked");
        }
        for (size_t i = 0; i < asked.size(); ++i) {
          answer.cgroups[asked[i]] = Record<schema::CgroupUsage>(usages[i]);
        }
        for (auto network : networks) answer.networks.emplace_back(network);
        return absl::OkStatus();
      }));
  return answer;
}

std::string CgroupOf(const ContainerObject& container) {
  return base::CgroupPath(container.record.read().getCgroup().cStr()).value_or("");
}

bool HasNetwork(const PodObject& pod) {
  auto record = pod.record.read();
  return pod.phase == Phase::kActive && record.getState() == schema::Pod::State::READY &&
         record.getConfig().getNetwork() == schema::NamespaceMode::POD;
}

void OpenNetworks(Fiber& fiber, Broker& broker, const std::vector<PodPtr>& pods) {
  std::vector<PodPtr> missing;
  for (const PodPtr& pod : pods) {
    if (!broker.stats.networks.contains(pod->id)) missing.push_back(pod);
  }
  if (missing.empty()) return;
  if (missing.size() > kMostSockets) missing.resize(kMostSockets);
  if (OpenSome(fiber, broker, missing).ok()) return;
  // One that is being stopped spoils it for all.
  for (const PodPtr& pod : missing) {
    if (HasNetwork(*pod)) Report("no numbers for a pod's network", OpenSome(fiber, broker, {pod}));
  }
}

void CountDisks(Fiber& fiber, Broker& broker, const std::vector<ContainerPtr>& what) {
  StatsMemory& memory = broker.stats;
  const auto known = [&memory](const ContainerPtr& container) {
    return memory.disks.contains(container->id);
  };
  const bool fresh = absl::Now() - memory.disks_at < kDisksKeep;
  if (fresh && std::all_of(what.begin(), what.end(), known)) return;
  if (memory.counting == nullptr) {
    auto counted = broker.loop.Run([&broker](Fiber& counter) {
      CountAll(counter, broker);
      broker.stats.disks_at = absl::Now();
      broker.stats.counting = nullptr;
      return true;
    });
    memory.counting = std::make_shared<kj::ForkedPromise<void>>(counted.ignoreResult().fork());
  }
  // Held here, as it forgets itself when it is done.
  const std::shared_ptr<kj::ForkedPromise<void>> counting = memory.counting;
  fiber.WaitFor(counting->addBranch(), kDisksPatience);
}

}  // namespace bulkhead::broker
