#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/monitor/init_link.h"
#include "broker/operations/container.h"
#include "broker/operations/launch.h"
#include "broker/plan/container_spec.h"
#include "broker/spawner/worker.h"
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
  record.setState(schema::Container::State::UNKNOWN);
  record.setImageId(image.getId());
  record.setImageRef(image.getRepoDigests().size() > 0 ? image.getRepoDigests()[0] : image.getId());
  record.setRuntime(runtime.name);
  record.setRuntimeRule(runtime.rule);
  record.setCreatedAtNs(WallClockNs());
  record.setBootId(kj::StringPtr(broker.boot_id.data(), broker.boot_id.size()).asBytes());
  record.setLayers(image.getConfig().getDiffIds());
  record.setCgroup(PlanCgroup(broker.config, pod.record.read().getConfig(), container->id));
  int signal = config.getStopSignal();
  if (signal == 0) signal = ParseSignal(image.getConfig().getStopSignal().cStr());
  record.setStopSignal(signal == 0 ? SIGTERM : signal);
  return container;
}

absl::StatusOr<Crew> GatherCrew(Fiber& fiber, Broker& broker, size_t volumes) {
  Crew crew;
  BULKHEAD_ASSIGN_OR_RETURN(crew.mount,
                            Worker::Begin(fiber, broker.spawner, security::Kind::kMount,
                                          {.result = {.max_fds = static_cast<int>(volumes) + 1}}));
  BULKHEAD_ASSIGN_OR_RETURN(crew.user, Worker::Begin(fiber, broker.spawner, security::Kind::kUser));
  BULKHEAD_ASSIGN_OR_RETURN(crew.launch,
                            Worker::Begin(fiber, broker.spawner, security::Kind::kLaunch));
  return crew;
}

absl::Status MountParts(Fiber& fiber, Worker& worker, const ContainerObject& container,
                        schema::Pod::Reader pod, Parts* parts) {
  auto record = container.record.read();
  auto mounts = record.getConfig().getMounts();
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::MountJob>();
  job.setContainerId(container.id);
  job.setLayers(record.getLayers());
  if (pod.getIdMapping().getLength() > 0) {
    job.setPodId(pod.getId());
    job.setIdMapping(pod.getIdMapping());
  }
  auto volumes = job.initVolumes(mounts.size());
  for (unsigned i = 0; i < mounts.size(); ++i) {
    volumes[i].setHostPath(mounts[i].getHostPath());
    volumes[i].setReadOnly(mounts[i].getReadonly());
    volumes[i].setRecursiveReadOnly(mounts[i].getRecursiveReadOnly());
    volumes[i].setIdMapped(mounts[i].getIdMapping().getLength() > 0);
    volumes[i].setRecursive(true);
    volumes[i].setCreateDirectory(true);
  }
  BULKHEAD_RETURN_IF_ERROR(worker.Give(fiber, message));
  return worker.Finish<schema::MountResult>(
      fiber, [&](schema::MountResult::Reader, std::vector<base::UniqueFd>& fds) {
        if (fds.size() != mounts.size() + 1) {
          return absl::InternalError("mount: not as many mounts as asked for");
        }
        parts->rootfs = std::move(fds[0]);
        for (size_t i = 1; i < fds.size(); ++i) parts->volumes.push_back(std::move(fds[i]));
        return absl::OkStatus();
      });
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
        return absl::OkStatus();
      }));
  TimedStep step = fiber.Step("monitor: first answer");
  return WatchContainer(fiber, broker, container);
}

absl::Status BuildContainer(Fiber& fiber, Broker& broker, const PodObject& pod,
                            const ContainerPtr& container, schema::ImageConfig::Reader image) {
  auto config = container->record.read().getConfig();
  BULKHEAD_ASSIGN_OR_RETURN(Crew crew, GatherCrew(fiber, broker, config.getMounts().size()));
  Parts parts;
  BULKHEAD_RETURN_IF_ERROR(MountParts(fiber, *crew.mount, *container, pod.record.read(), &parts));
  BULKHEAD_RETURN_IF_ERROR(ResolveUser(fiber, *crew.user, config, image, &parts));
  ContainerInputs inputs = {.container_id = container->id,
                            .pod = pod.record.read(),
                            .config = config,
                            .image = image,
                            .user = parts.user.read(),
                            .node = broker.config};
  BULKHEAD_RETURN_IF_ERROR(PlanContainer(inputs, container->spec.edit()));
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
                                            schema::ContainerConfig::Reader config) {
  BULKHEAD_RETURN_IF_ERROR(validate::CheckContainerConfig(config));
  BULKHEAD_ASSIGN_OR_RETURN(PodPtr pod, broker.state.FindPod(pod_id));
  auto held_pod = pod->mutex.Acquire(fiber);
  if (pod->phase != Phase::kActive || pod->record.read().getState() != schema::Pod::State::READY) {
    return absl::FailedPreconditionError(absl::StrCat("pod sandbox ", pod->id, ": is not ready"));
  }
  BULKHEAD_RETURN_IF_ERROR(CheckMappings(pod->record.read(), config));
  if (ContainerPtr existing = broker.state.FindContainerByKey(ContainerKey(pod->id, config))) {
    return JoinExisting(existing, config);
  }
  const Record<schema::Image>* found = broker.state.FindImage(config.getImage().cStr());
  if (found == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("config.image: ", config.getImage().cStr(), ": not present on the node"));
  }
  Record<schema::Image> image(found->read());  // a copy: the store may change while we wait
  BULKHEAD_ASSIGN_OR_RETURN(
      RuntimeChoice runtime,
      ChooseRuntime(broker.config, pod->record.read().getConfig().getHandler().cStr()));

  ContainerPtr container = NewContainer(broker, *pod, config, image.read(), runtime);
  auto held = container->mutex.Acquire(fiber);
  {
    TimedStep step = fiber.Step("database: intent");
    BULKHEAD_RETURN_IF_ERROR(broker.state.Save(container));
  }
  absl::Status built = BuildContainer(fiber, broker, *pod, container, image.read().getConfig());
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
