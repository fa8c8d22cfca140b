#include "broker/server/admin_server.h"

#include "absl/strings/match.h"
#include "base/status.h"
#include "broker/audit/operation.h"
#include "broker/operations/image.h"
#include "broker/operations/pod.h"
#include "broker/server/answer.h"

namespace bulkhead::broker {
namespace {

absl::Status StopAllPods(Fiber& fiber, Broker& broker) {
  std::vector<std::string> ids;
  for (const auto& [id, pod] : broker.state.pods()) ids.push_back(id);
  absl::Status first;
  for (const std::string& id : ids) {
    absl::Status stopped = StopPod(fiber, broker, id);
    if (first.ok()) first = stopped;
  }
  return first;
}

void WriteTimeline(const Timeline& from, schema::Timeline::Builder to) {
  to.setOperation(from.operation);
  to.setPodId(from.pod_id);
  to.setObjectId(from.object_id);
  to.setOutcome(from.outcome);
  to.setBeganAtNs(from.wall_ns);
  to.setTotalUs(from.total_us);
  auto steps = to.initSteps(from.steps.size());
  for (size_t i = 0; i < from.steps.size(); ++i) {
    steps[i].setName(from.steps[i].name);
    steps[i].setBeginUs(from.steps[i].begin_us);
    steps[i].setEndUs(from.steps[i].end_us);
  }
}

}  // namespace

kj::Promise<void> AdminServer::importImage(ImportImageContext context) {
  auto params = context.getParams();
  auto reference = std::make_shared<Record<schema::ImageReference>>(params.getReference());
  auto archive = params.getArchive();
  return archive.getFd().then(
      [this, context, reference, archive](kj::Maybe<int> passed) mutable -> kj::Promise<void> {
        auto fd = std::make_shared<base::UniqueFd>();
        KJ_IF_MAYBE (number, passed) {
          absl::StatusOr<base::UniqueFd> own = base::Duplicate(*number);
          if (own.ok()) *fd = *std::move(own);
        }
        if (!*fd) {
          ipc::WriteStatus(absl::InvalidArgumentError("archive: no file descriptor came with it"),
                           context.getResults().initStatus());
          return kj::READY_NOW;
        }
        return Answer(
            broker_.loop, context,
            [this, fd, reference](Fiber& fiber) {
              return Operation(fiber, broker_, "ImportImage", "", Operation::Actor::ADMIN)
                  .Of(reference->read())
                  .Grows()
                  .Run([&] { return ImportImages(fiber, broker_, fd->get(), reference->read()); });
            },
            [](auto results, const std::vector<std::string>& ids) {
              auto list = results.initImageIds(ids.size());
              for (size_t i = 0; i < ids.size(); ++i) list.set(i, ids[i]);
            });
      });
}

kj::Promise<void> AdminServer::status(StatusContext context) {
  auto results = context.getResults();
  unsigned ready = 0, running = 0;
  for (const auto& [id, pod] : broker_.state.pods()) {
    ready += pod->record.read().getState() == schema::Pod::State::READY;
  }
  for (const auto& [id, container] : broker_.state.containers()) {
    running += container->record.read().getState() == schema::Container::State::RUNNING;
  }
  results.setPods(broker_.state.pods().size());
  results.setReadyPods(ready);
  results.setContainers(broker_.state.containers().size());
  results.setRunningContainers(running);
  results.setImages(broker_.state.images().size());
  results.setWorkers(broker_.spawner.busy());
  results.setOperations(broker_.loop.operations());
  const std::vector<std::string> spares = broker_.spawner.Spares();
  auto kinds = results.initSpares(spares.size());
  for (size_t i = 0; i < spares.size(); ++i) kinds.set(i, spares[i]);
  return kj::READY_NOW;
}

kj::Promise<void> AdminServer::stopAll(StopAllContext context) {
  return Answer(broker_.loop, context, [this](Fiber& fiber) {
    return Operation(fiber, broker_, "StopAll", "", Operation::Actor::ADMIN).Run([&] {
      return StopAllPods(fiber, broker_);
    });
  });
}

kj::Promise<void> AdminServer::timelines(TimelinesContext context) {
  absl::string_view id = context.getParams().getId().cStr();
  std::vector<std::shared_ptr<const Timeline>> wanted;
  for (const auto& timeline : broker_.timelines.all()) {
    if (absl::StartsWith(timeline->pod_id, id) || absl::StartsWith(timeline->object_id, id)) {
      wanted.push_back(timeline);
    }
  }
  auto list = context.getResults().initTimelines(wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) WriteTimeline(*wanted[i], list[i]);
  return kj::READY_NOW;
}

kj::Promise<void> AdminServer::metrics(MetricsContext context) {
  auto results = context.getResults();
  const Metrics& metrics = broker_.metrics;
  auto operations = results.initOperations(metrics.operations().size());
  unsigned i = 0;
  for (const auto& [key, histogram] : metrics.operations()) {
    auto out = operations[i++];
    out.setOperation(key.first);
    out.setOutcome(key.second);
    out.setCount(histogram.count);
    out.setMicros(histogram.micros);
    out.setWithin(kj::arrayPtr(histogram.within.data(), histogram.within.size()));
  }
  auto steps = results.initSteps(metrics.steps().size());
  i = 0;
  for (const auto& [name, sum] : metrics.steps()) {
    auto out = steps[i++];
    out.setName(name);
    out.setCount(sum.count);
    out.setMicros(sum.micros);
  }
  results.setBoundsUs(kj::arrayPtr(Metrics::kBounds.data(), Metrics::kBounds.size()));
  return kj::READY_NOW;
}

}  // namespace bulkhead::broker
