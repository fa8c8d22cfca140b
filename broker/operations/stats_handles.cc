#include "absl/types/span.h"
#include "base/deadline.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/broker.h"
#include "broker/operations/stats.h"
#include "broker/operations/stats_workers.h"
#include "broker/spawner/worker.h"
#include "schema/worker/handles.capnp.h"

namespace bulkhead::broker {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);  // for all containers
constexpr size_t kMostAtOnce = 240;                     // descriptors of one message

// One whose usage is known had a cgroup a moment ago.
std::vector<ContainerLook*> Running(std::vector<PodLook>& looks) {
  std::vector<ContainerLook*> running;
  for (PodLook& pod : looks) {
    for (ContainerLook& look : pod.containers) {
      if (look.usage.has_value()) running.push_back(&look);
    }
  }
  return running;
}

// The lists of their processes, open. which: whose each of them is; those that are gone have none.
struct Lists {
  std::vector<base::UniqueFd> fds;
  std::vector<size_t> which;
};

absl::StatusOr<Lists> OpenLists(Fiber& fiber, Broker& broker,
                                absl::Span<ContainerLook* const> some) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::StatsJob>();
  job.setCgroupMode(broker.config.getHost().getCgroupMode());
  auto paths = job.initProcessesOf(static_cast<unsigned>(some.size()));
  for (unsigned i = 0; i < some.size(); ++i) paths.set(i, CgroupOf(*some[i]->container));
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kStats, message, {},
                                 {.result = {.max_fds = static_cast<int>(some.size())}}));
  Lists lists;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::StatsResult>(
      fiber, [&](schema::StatsResult::Reader result, std::vector<base::UniqueFd>& fds) {
        for (const uint32_t index : result.getOpened()) {
          if (index >= some.size()) return absl::InternalError("stats: opened what nobody asked");
          lists.which.push_back(index);
        }
        if (lists.which.size() != fds.size()) return absl::InternalError("stats: lists missing");
        lists.fds = std::move(fds);
        return absl::OkStatus();
      }));
  return lists;
}

absl::Status CountSome(Fiber& fiber, Broker& broker, absl::Span<ContainerLook* const> some,
                       base::Deadline deadline) {
  // It starts while stats opens the lists.
  BULKHEAD_ASSIGN_OR_RETURN(auto worker,
                            Worker::Begin(fiber, broker.spawner, security::Kind::kHandles));
  BULKHEAD_ASSIGN_OR_RETURN(const Lists lists, OpenLists(fiber, broker, some));
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::HandlesJob>().setPatienceMs(
      static_cast<uint32_t>(absl::ToInt64Milliseconds(deadline.Remaining())));
  std::vector<int> fds;
  for (const base::UniqueFd& fd : lists.fds) fds.push_back(fd.get());
  BULKHEAD_RETURN_IF_ERROR(worker->Give(fiber, message, fds));
  return worker->Finish<schema::HandlesResult>(
      fiber, [&](schema::HandlesResult::Reader result, std::vector<base::UniqueFd>&) {
        const auto counts = result.getCgroups();
        if (counts.size() != lists.which.size()) {
          return absl::InternalError("handles: not as many as asked");
        }
        for (unsigned i = 0; i < counts.size(); ++i) {
          some[lists.which[i]]->handles = {counts[i].getDescriptors(), counts[i].getSockets()};
        }
        return absl::OkStatus();
      });
}

}  // namespace

void LookAtHandles(Fiber& fiber, Broker& broker, std::vector<PodLook>& looks) {
  const base::Deadline deadline = base::Deadline::After(kPatience);
  const std::vector<ContainerLook*> running = Running(looks);
  const absl::Span<ContainerLook* const> all(running);
  for (size_t begin = 0; begin < all.size() && !deadline.Passed(); begin += kMostAtOnce) {
    const absl::Status counted =
        CountSome(fiber, broker, all.subspan(begin, kMostAtOnce), deadline);
    if (counted.ok()) continue;
    base::Log(base::Severity::kWarning, "could not count descriptors of containers",
              {{"why", counted.message()}});
  }
}

}  // namespace bulkhead::broker
