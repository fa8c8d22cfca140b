#include "broker/operations/pod_cgroup.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/cgroup_path.h"
#include "base/status.h"
#include "broker/operations/pod.h"
#include "broker/plan/pod_cgroup.h"
#include "schema/worker/cgroup.capnp.h"
#include "schema/worker/unit.capnp.h"
#include "validate/container.h"
#include "validate/pod.h"

namespace bulkhead::broker {
namespace {

bool OfSystemd(absl::string_view cgroup) { return !absl::StartsWith(cgroup, "/"); }

// What the worker compares with the name, so that it touches no other.
std::string OwnName(const PodObject& pod) {
  const std::string name = pod.record.read().getCgroup();
  if (absl::StrContains(name, pod.id)) return pod.id;
  return OwnPodName(pod.record.read().getConfig(), OfSystemd(name));
}

void FillCgroup(Broker& broker, absl::string_view path, absl::string_view own_name,
                schema::CgroupJob::Builder job) {
  job.setPath(std::string(path));
  job.setOwnName(std::string(own_name));
  job.setCgroupMode(broker.config.getHost().getCgroupMode());
}

void FillUnit(Broker& broker, const PodObject& pod, schema::UnitJob::Builder job) {
  job.setUnit(pod.record.read().getCgroup());
  job.setOwnName(OwnName(pod));
  job.setPodId(pod.id);
  job.setV2(broker.config.getHost().getCgroupMode() == schema::Host::CgroupMode::V2);
}

absl::StatusOr<std::unique_ptr<Worker>> StartMake(Fiber& fiber, Broker& broker,
                                                  const PodObject& pod) {
  const schema::Pod::Reader record = pod.record.read();
  Record<schema::Resources> limits;
  AddUp(record.getResources(), record.getOverhead(), limits.edit());
  capnp::MallocMessageBuilder message;
  if (OfSystemd(record.getCgroup().cStr())) {
    auto job = message.initRoot<schema::UnitJob>();
    FillUnit(broker, pod, job);
    job.setMake(limits.read());
    return Worker::Start(fiber, broker.spawner, security::Kind::kUnit, message);
  }
  auto job = message.initRoot<schema::CgroupJob>();
  FillCgroup(broker, record.getCgroup().cStr(), OwnName(pod), job);
  job.setMake(limits.read());
  return Worker::Start(fiber, broker.spawner, security::Kind::kCgroup, message);
}

// On the file system. With systemd this comes after the unit's own properties: it knows no huge
// pages and no files of cgroup v2, and the numbers are exact.
absl::Status LimitCgroup(Fiber& fiber, Broker& broker, absl::string_view path,
                         absl::string_view own_name, schema::Resources::Reader limits, bool ours) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::CgroupJob>();
  FillCgroup(broker, path, own_name, job);
  job.setLimit(limits);
  job.setOurs(ours);
  BULKHEAD_ASSIGN_OR_RETURN(auto worker,
                            Worker::Start(fiber, broker.spawner, security::Kind::kCgroup, message));
  return worker->Finish<schema::CgroupResult>(fiber);
}

// make tells whether the slice is ours without changing one that is there.
absl::StatusOr<bool> SliceIsOurs(Fiber& fiber, Broker& broker, const PodObject& pod) {
  BULKHEAD_ASSIGN_OR_RETURN(auto worker, StartMake(fiber, broker, pod));
  bool ours = false;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::UnitResult>(
      fiber, [&](schema::UnitResult::Reader result, std::vector<base::UniqueFd>&) {
        ours = result.getOurs();
        return absl::OkStatus();
      }));
  return ours;
}

absl::Status LimitUnit(Fiber& fiber, Broker& broker, const std::string& unit,
                       absl::string_view own_name, absl::string_view pod_id,
                       schema::Resources::Reader limits) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::UnitJob>();
  job.setUnit(unit);
  job.setOwnName(std::string(own_name));
  job.setPodId(std::string(pod_id));
  job.setV2(broker.config.getHost().getCgroupMode() == schema::Host::CgroupMode::V2);
  job.setLimit(limits);
  BULKHEAD_ASSIGN_OR_RETURN(auto worker,
                            Worker::Start(fiber, broker.spawner, security::Kind::kUnit, message));
  return worker->Finish<schema::UnitResult>(fiber);
}

// The kernel is asked first, as it may refuse, and changes all or nothing; then systemd is told, so
// that it does not undo it; then come those once more that systemd has no property for, as it sets
// their files back.
absl::Status LimitBoth(Fiber& fiber, Broker& broker, const std::string& unit,
                       const std::string& path, absl::string_view own_name,
                       absl::string_view pod_id, schema::Resources::Reader limits) {
  BULKHEAD_RETURN_IF_ERROR(LimitCgroup(fiber, broker, path, own_name, limits, false));
  BULKHEAD_RETURN_IF_ERROR(LimitUnit(fiber, broker, unit, own_name, pod_id, limits));
  return LimitCgroup(fiber, broker, path, own_name, limits, false);
}

absl::Status LimitPod(Fiber& fiber, Broker& broker, const PodObject& pod,
                      schema::Resources::Reader limits) {
  const std::string name = pod.record.read().getCgroup();
  if (!OfSystemd(name)) {
    return LimitCgroup(fiber, broker, name, OwnName(pod), limits, true);
  }
  BULKHEAD_ASSIGN_OR_RETURN(const bool ours, SliceIsOurs(fiber, broker, pod));
  if (!ours) return absl::OkStatus();
  return LimitBoth(fiber, broker, name, PathOfPodCgroup(name), OwnName(pod), pod.id, limits);
}

// "slice:prefix:name" runs as the scope prefix-name.scope.
std::string ScopeOf(const std::string& cgroup) {
  const std::vector<std::string> parts = absl::StrSplit(cgroup, ':');
  return parts.size() == 3 ? absl::StrCat(parts[1], "-", parts[2], ".scope") : "";
}

absl::Status LimitContainer(Fiber& fiber, Broker& broker, const ContainerObject& container,
                            schema::Resources::Reader change) {
  const schema::Container::Reader record = container.record.read();
  const std::string cgroup = record.getCgroup();
  BULKHEAD_ASSIGN_OR_RETURN(const std::string path, base::CgroupPath(cgroup));
  if (OfSystemd(cgroup)) {
    return LimitBoth(fiber, broker, ScopeOf(cgroup), path, container.id, record.getPodId().cStr(),
                     change);
  }
  return LimitCgroup(fiber, broker, path, container.id, change, false);
}

}  // namespace

absl::Status PodCgroupMaking::Begin(Fiber& fiber, Broker& broker, const PodObject& pod) {
  BULKHEAD_ASSIGN_OR_RETURN(worker_, StartMake(fiber, broker, pod));
  return absl::OkStatus();
}

absl::Status PodCgroupMaking::Finish(Fiber& fiber, Broker& broker, const PodObject& pod) {
  const schema::Pod::Reader record = pod.record.read();
  const std::string name = record.getCgroup();
  if (!OfSystemd(name)) return worker_->Finish<schema::CgroupResult>(fiber);
  bool ours = false;
  BULKHEAD_RETURN_IF_ERROR(worker_->Finish<schema::UnitResult>(
      fiber, [&](schema::UnitResult::Reader result, std::vector<base::UniqueFd>&) {
        ours = result.getOurs();
        return absl::OkStatus();
      }));
  const schema::Resources::Reader resources = record.getResources();
  // systemd has set the rest.
  const bool more = resources.getHugepageLimits().size() > 0 || resources.getUnified().size() > 0;
  if (!ours || !more) return absl::OkStatus();
  return LimitCgroup(fiber, broker, PathOfPodCgroup(name), OwnName(pod), resources, false);
}

absl::Status PodCgroupRemoving::Begin(Fiber& fiber, Broker& broker, const PodObject& pod) {
  const std::string name = pod.record.read().getCgroup();
  if (name.empty()) return absl::OkStatus();
  of_systemd_ = OfSystemd(name);
  capnp::MallocMessageBuilder message;
  if (of_systemd_) {
    auto job = message.initRoot<schema::UnitJob>();
    FillUnit(broker, pod, job);
    job.setRemove();
  } else {
    auto job = message.initRoot<schema::CgroupJob>();
    FillCgroup(broker, name, OwnName(pod), job);
    job.setRemove();
  }
  const auto kind = of_systemd_ ? security::Kind::kUnit : security::Kind::kCgroup;
  BULKHEAD_ASSIGN_OR_RETURN(worker_, Worker::Start(fiber, broker.spawner, kind, message));
  return absl::OkStatus();
}

absl::Status PodCgroupRemoving::Finish(Fiber& fiber) {
  if (worker_ == nullptr) return absl::OkStatus();
  if (of_systemd_) return worker_->Finish<schema::UnitResult>(fiber);
  return worker_->Finish<schema::CgroupResult>(fiber);
}

absl::Status UpdatePodResources(Fiber& fiber, Broker& broker, const std::string& id,
                                schema::Resources::Reader overhead,
                                schema::Resources::Reader resources) {
  BULKHEAD_RETURN_IF_ERROR(validate::CheckResources("overhead", overhead));
  BULKHEAD_RETURN_IF_ERROR(validate::CheckResources("resources", resources));
  BULKHEAD_ASSIGN_OR_RETURN(PodPtr pod, broker.state.FindPod(id));
  auto held = pod->mutex.Acquire(fiber);
  if (pod->phase != Phase::kActive || pod->record.read().getState() != schema::Pod::State::READY) {
    return absl::FailedPreconditionError(absl::StrCat("pod sandbox ", pod->id, ": is not ready"));
  }
  const schema::Host::CgroupMode mode = broker.config.getHost().getCgroupMode();
  const schema::Pod::Reader record = pod->record.read();
  Record<schema::Resources> new_overhead, new_resources, before, after, ignored, change;
  BULKHEAD_RETURN_IF_ERROR(
      PlanUpdate(mode, record.getOverhead(), overhead, new_overhead.edit(), ignored.edit()));
  BULKHEAD_RETURN_IF_ERROR(
      PlanUpdate(mode, record.getResources(), resources, new_resources.edit(), ignored.edit()));
  AddUp(record.getResources(), record.getOverhead(), before.edit());
  AddUp(new_resources.read(), new_overhead.read(), after.edit());
  Record<schema::Resources> merged;
  BULKHEAD_RETURN_IF_ERROR(
      PlanUpdate(mode, before.read(), after.read(), merged.edit(), change.edit()));
  BULKHEAD_RETURN_IF_ERROR(LimitPod(fiber, broker, *pod, change.read()));
  pod->record.edit().setOverhead(new_overhead.read());
  pod->record.edit().setResources(new_resources.read());
  return broker.state.Save(pod);
}

absl::Status UpdateContainerResources(Fiber& fiber, Broker& broker, const std::string& id,
                                      schema::Resources::Reader asked) {
  BULKHEAD_RETURN_IF_ERROR(validate::CheckResources("linux", asked));
  BULKHEAD_ASSIGN_OR_RETURN(ContainerPtr container, broker.state.FindContainer(id));
  auto held = container->mutex.Acquire(fiber);
  const auto state = container->record.read().getState();
  if (container->phase != Phase::kActive ||
      (state != schema::Container::State::CREATED && state != schema::Container::State::RUNNING)) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container->id, ": is neither created nor running"));
  }
  Record<schema::Resources> merged, change;
  BULKHEAD_RETURN_IF_ERROR(PlanUpdate(broker.config.getHost().getCgroupMode(),
                                      container->record.read().getConfig().getResources(), asked,
                                      merged.edit(), change.edit()));
  BULKHEAD_ASSIGN_OR_RETURN(PodPtr pod,
                            broker.state.FindPod(container->record.read().getPodId().cStr()));
  BULKHEAD_RETURN_IF_ERROR(AskForLimits(broker.policies, pod->record.read(), merged.read()));
  BULKHEAD_RETURN_IF_ERROR(LimitContainer(fiber, broker, *container, change.read()));
  container->record.edit().setResources(merged.read());
  return broker.state.Save(container);
}

}  // namespace bulkhead::broker
