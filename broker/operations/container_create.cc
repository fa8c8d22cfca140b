#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/monitor/init_link.h"
#include "broker/operations/container.h"
#include "broker/operations/container_request.h"
#include "broker/operations/image.h"
#include "broker/operations/image_trust.h"
#include "broker/operations/launch.h"
#include "broker/operations/layer_mounts.h"
#include "broker/operations/node_config.h"
#include "broker/plan/container_spec.h"
#include "broker/plan/mounts.h"
#include "broker/plan/policy.h"
#include "broker/plan/runtime_choice.h"
#include "broker/spawner/worker.h"
#include "schema/worker/copyup.capnp.h"
#include "schema/worker/launch.capnp.h"
#include "schema/worker/mount.capnp.h"
#include "schema/worker/user.capnp.h"
#include "validate/container.h"

namespace bulkhead::broker {
namespace {

// The workers of a create, all started at once: each confines itself while the one before works.
struct Crew {
  std::unique_ptr<Worker> mount, user, launch;
};

// What they make for a container before it is launched.
struct Parts {
  base::UniqueFd rootfs;
  std::vector<base::UniqueFd> volumes;
  Record<schema::UserIds> user;
  NodeConfig node;
  std::vector<std::string> own_volumes;
};

absl::StatusOr<std::string> JoinExisting(const ContainerPtr& container,
                                         schema::ContainerConfig::Reader config) {
  auto record = container->record.read();
  Record<schema::ContainerConfig> asked(config), kept(record.getConfig());
  if (container->phase == Phase::kActive && asked.Serialize() == kept.Serialize() &&
      record.getState() == schema::Container::State::CREATED) {
    return container->id;
  }
  return absl::AlreadyExistsError(
      absl::StrCat("config.metadata: the name is taken by container ", container->id));
}

ContainerPtr NewContainer(Broker& broker, const PodObject& pod,
                          schema::ContainerConfig::Reader config, schema::Image::Reader image,
                          const RuntimeChoice& runtime) {
  auto container = std::make_shared<ContainerObject>();
  container->id = base::NewId();
  auto record = container->record.edit();
  record.setId(container->id);
  record.setPodId(pod.id);
  record.setConfig(config);
  record.setResources(config.getResources());
  record.setState(schema::Container::State::UNKNOWN);
  record.setImageId(image.getId());
  record.setImageRef(image.getRepoDigests().size() > 0 ? image.getRepoDigests()[0] : image.getId());
  record.setRuntime(runtime.name);
  record.setRuntimeRule(runtime.rule);
  record.setCreatedAtNs(WallClockNs());
  record.setBootId(kj::StringPtr(broker.boot_id.data(), broker.boot_id.size()).asBytes());
  record.setLayers(image.getConfig().getDiffIds());
  FillImageMounts(broker, config, record);
  record.setCgroup(PlanCgroup(pod.record.read(), container->id));
  int signal = config.getStopSignal();
  if (signal == 0) signal = ParseSignal(image.getConfig().getStopSignal().cStr());
  record.setStopSignal(signal == 0 ? SIGTERM : signal);
  return container;
}

absl::StatusOr<Crew> GatherCrew(Fiber& fiber, Broker& broker, security::Kind launch) {
  Crew crew;
  BULKHEAD_ASSIGN_OR_RETURN(crew.mount, Worker::Begin(fiber, broker.spawner, security::Kind::kMount,
                                                      {.result = {.max_fds = ipc::kMaxFds}}));
  BULKHEAD_ASSIGN_OR_RETURN(crew.user, Worker::Begin(fiber, broker.spawner, security::Kind::kUser));
  BULKHEAD_ASSIGN_OR_RETURN(crew.launch, Worker::Begin(fiber, broker.spawner, launch));
  return crew;
}

absl::Status MountParts(Fiber& fiber, Broker& broker, Worker& worker,
                        const ContainerObject& container, schema::Pod::Reader pod, Parts* parts) {
  auto record = container.record.read();
  size_t mounts =
      CountMounts(record.getConfig(), parts->node.cdi.read(), parts->own_volumes.size());
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::MountJob>();
  job.setContainerId(container.id);
  job.setLayers(record.getLayers());
  job.setPodNamespace(pod.getConfig().getNamespace());
  job.setPodUid(pod.getConfig().getUid());
  if (pod.getIdMapping().getLength() > 0) {
    job.setPodId(pod.getId());
    job.setIdMapping(pod.getIdMapping());
  }
  FillMounts(record, parts->node.cdi.read(), parts->own_volumes.size(), job);
  const std::vector<int> shared = ShareLayerMounts(broker, mounts, job);
  BULKHEAD_RETURN_IF_ERROR(worker.Give(fiber, message, shared));
  return worker.Finish<schema::MountResult>(
      fiber, [&](schema::MountResult::Reader result, std::vector<base::UniqueFd>& fds) {
        const size_t asked = mounts + 1;
        if (fds.size() != asked + result.getNewMounts().size()) {
          return absl::InternalError("mount: not as many mounts as asked for");
        }
        parts->rootfs = std::move(fds[0]);
        for (size_t i = 1; i < asked; ++i) parts->volumes.push_back(std::move(fds[i]));
        KeepLayerMounts(broker, record.getLayers(), result, absl::MakeSpan(fds).subspan(asked));
        return absl::OkStatus();
      });
}

// The container's own volumes begin with what the image has at their places.
absl::Status FillOwnVolumes(Fiber& fiber, Broker& broker, const Parts& parts) {
  if (parts.own_volumes.empty()) return absl::OkStatus();
  capnp::MallocMessageBuilder message;
  auto paths = message.initRoot<schema::CopyupJob>().initPaths(parts.own_volumes.size());
  for (size_t i = 0; i < parts.own_volumes.size(); ++i) paths.set(i, parts.own_volumes[i]);
  std::vector<int> fds = {parts.rootfs.get()};
  for (size_t i = parts.volumes.size() - parts.own_volumes.size(); i < parts.volumes.size(); ++i) {
    fds.push_back(parts.volumes[i].get());
  }
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kCopyup, message, fds));
  return base::Annotate(worker->Finish<schema::CopyupResult>(fiber), "image: VOLUME");
}

absl::Status ResolveUser(Fiber& fiber, Worker& worker, schema::ContainerConfig::Reader config,
                         schema::ImageConfig::Reader image, Parts* parts) {
  auto security = config.getSecurity();
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::UserJob>();
  if (security.getHasRunAsUser()) {
    job.setUser(absl::StrCat(security.getRunAsUser()));
  } else if (security.getRunAsUsername().size() > 0) {
    job.setUser(security.getRunAsUsername());
  } else {
    job.setUser(image.getUser());
  }
  job.setHasGid(security.getHasRunAsGroup());
  job.setGid(security.getRunAsGroup());
  job.setSupplementalGids(security.getSupplementalGroups());
  job.setStrict(security.getStrictSupplementalGroups());
  BULKHEAD_RETURN_IF_ERROR(worker.Give(fiber, message, {parts->rootfs.get()}));
  return worker.Finish<schema::UserResult>(
      fiber, [&](schema::UserResult::Reader result, std::vector<base::UniqueFd>&) {
        parts->user = Record<schema::UserIds>(result.getUser());
        return absl::OkStatus();
      });
}

// Whose PID namespace is joined: the pod's init, or another container of the pod. -1: nobody's.
absl::StatusOr<int> PidTarget(Broker& broker, const PodObject& pod,
                              const ContainerObject& container) {
  if (container.spec.read().getNamespaces().getPid() !=
      schema::ContainerSpec::Namespaces::Source::TARGET) {
    return -1;
  }
  auto security = container.record.read().getConfig().getSecurity();
  if (security.getPid() == schema::NamespaceMode::POD) {
    if (pod.init == nullptr) return absl::FailedPreconditionError("the pod's init is gone");
    return pod.init->pidfd();
  }
  auto target = broker.state.FindContainer(security.getTargetId().cStr());
  if (!target.ok() || pod.id != (*target)->record.read().getPodId().cStr() ||
      (*target)->monitor == nullptr || (*target)->monitor->exited()) {
    return absl::InvalidArgumentError(
        "config.linux.security_context.namespace_options.target_id: no running container of this "
        "pod");
  }
  return (*target)->monitor->pidfd();
}

absl::Status Launch(Fiber& fiber, Broker& broker, Worker& worker, const ContainerPtr& container,
                    const PodObject& pod, const Parts& parts) {
  BULKHEAD_ASSIGN_OR_RETURN(int pid_target, PidTarget(broker, pod, *container));
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd listener, ListenForMonitor(container->id));
  std::vector<int> fds = {parts.rootfs.get(), listener.get()};
  for (const base::UniqueFd& volume : parts.volumes) fds.push_back(volume.get());
  if (pid_target >= 0) fds.push_back(pid_target);
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::LaunchJob>();
  FillLaunch(broker, *container, job);
  job.setCreate(container->spec.read());
  BULKHEAD_RETURN_IF_ERROR(worker.Give(fiber, message, fds));
  BULKHEAD_RETURN_IF_ERROR(worker.Finish<schema::LaunchResult>(
      fiber, [&](schema::LaunchResult::Reader result, std::vector<base::UniqueFd>&) {
        auto digest = result.getConfigDigest().getBytes();
        container->config_digest.assign(digest.begin(), digest.end());
        container->record.edit().setPid(result.getPid());
        return absl::OkStatus();
      }));
  TimedStep step = fiber.Step("monitor: first answer");
  return WatchContainer(fiber, broker, container);
}

absl::Status BuildContainer(Fiber& fiber, Broker& broker, const PodObject& pod,
                            const ContainerPtr& container, schema::ImageConfig::Reader image,
                            Parts parts) {
  auto config = container->record.read().getConfig();
  BULKHEAD_ASSIGN_OR_RETURN(Crew crew, GatherCrew(fiber, broker, LaunchKind(broker, *container)));
  BULKHEAD_RETURN_IF_ERROR(
      MountParts(fiber, broker, *crew.mount, *container, pod.record.read(), &parts));
  BULKHEAD_RETURN_IF_ERROR(ResolveUser(fiber, *crew.user, config, image, &parts));
  BULKHEAD_RETURN_IF_ERROR(FillOwnVolumes(fiber, broker, parts));
  ContainerInputs inputs = {.container_id = container->id,
                            .pod = pod.record.read(),
                            .config = config,
                            .image = image,
                            .user = parts.user.read(),
                            .node = broker.config,
                            .cdi = parts.node.cdi.read(),
                            .seccomp = parts.node.seccomp.read(),
                            .own_volumes = parts.own_volumes};
  BULKHEAD_RETURN_IF_ERROR(PlanContainer(inputs, container->spec.edit()));
  BULKHEAD_RETURN_IF_ERROR(
      AskForUser(broker.policies, pod.record.read(), container->spec.read().getProcess()));
  container->record.edit().setUser(parts.user.read());
  container->record.edit().setLogPath(container->spec.read().getLogPath());
  BULKHEAD_RETURN_IF_ERROR(Launch(fiber, broker, *crew.launch, container, pod, parts));
  container->record.edit().setState(schema::Container::State::CREATED);
  container->phase = Phase::kActive;
  TimedStep step = fiber.Step("database: outcome");
  return broker.state.Save(container);
}

}  // namespace

absl::StatusOr<std::string> CreateContainer(Fiber& fiber, Broker& broker, const std::string& pod_id,
                                            schema::ContainerConfig::Reader config,
                                            schema::PodIdentity::Reader meant) {
  BULKHEAD_RETURN_IF_ERROR(validate::CheckContainerConfig(config));
  BULKHEAD_ASSIGN_OR_RETURN(PodPtr pod, broker.state.FindPod(pod_id));
  auto held_pod = pod->mutex.Acquire(fiber);
  if (pod->phase != Phase::kActive || pod->record.read().getState() != schema::Pod::State::READY) {
    return absl::FailedPreconditionError(absl::StrCat("pod sandbox ", pod->id, ": is not ready"));
  }
  BULKHEAD_RETURN_IF_ERROR(CheckIdentity(pod->record.read().getConfig(), meant));
  BULKHEAD_RETURN_IF_ERROR(CheckMappings(pod->record.read(), config));
  Parts parts;
  BULKHEAD_RETURN_IF_ERROR(
      AskForContainer(broker.policies, pod->record.read(), config, parts.node.cdi.read(), ""));
  if (ContainerPtr existing = broker.state.FindContainerByKey(ContainerKey(pod->id, config))) {
    if (existing->phase != Phase::kRemoving) return JoinExisting(existing, config);
    // One that failed, and could not be undone then.
    auto held = existing->mutex.Acquire(fiber);
    if (existing->phase != Phase::kGone) {
      BULKHEAD_RETURN_IF_ERROR(DestroyContainer(fiber, broker, existing));
    }
  }
  BULKHEAD_ASSIGN_OR_RETURN(
      parts.node, ReadNodeConfig(fiber, broker, config, PlanCapabilities(config.getSecurity())));
  BULKHEAD_ASSIGN_OR_RETURN(const Record<schema::Image>* found, CheckImages(broker, config));
  Record<schema::Image> image(found->read());  // a copy: the store may change while we wait
  BULKHEAD_RETURN_IF_ERROR(CheckLayersUsable(broker, image.read()));
  BULKHEAD_RETURN_IF_ERROR(CheckMayRun(fiber, broker, image.read().getId().cStr(),
                                       config.getImage().cStr(),
                                       config.getUserSpecifiedImage().cStr()));
  BULKHEAD_ASSIGN_OR_RETURN(RuntimeChoice runtime, ChooseFor(broker, *pod, config, image.read()));
  BULKHEAD_RETURN_IF_ERROR(CheckUserNamespace(runtime, pod->record.read()));
  BULKHEAD_RETURN_IF_ERROR(
      CheckRuntimeKnows(broker.config, runtime.name, parts.node.seccomp.read()));
  BULKHEAD_RETURN_IF_ERROR(AskForContainer(broker.policies, pod->record.read(), config,
                                           parts.node.cdi.read(), runtime.name));
  BULKHEAD_ASSIGN_OR_RETURN(
      parts.own_volumes, PlanOwnVolumes(config, parts.node.cdi.read(), image.read().getConfig()));

  ContainerPtr container = NewContainer(broker, *pod, config, image.read(), runtime);
  auto held = container->mutex.Acquire(fiber);
  {
    TimedStep step = fiber.Step("database: intent");
    BULKHEAD_RETURN_IF_ERROR(broker.state.Save(container));
  }
  absl::Status built =
      BuildContainer(fiber, broker, *pod, container, image.read().getConfig(), std::move(parts));
  if (!built.ok()) {
    fiber.BeginUndo();
    absl::Status undone = DestroyContainer(fiber, broker, container);
    if (!undone.ok()) {
      base::Log(base::Severity::kError, "could not undo a container",
                {{"container", container->id}, {"why", undone.message()}});
    }
    return built;
  }
  return container->id;
}

}  // namespace bulkhead::broker
