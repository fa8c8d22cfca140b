#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/monitor/init_link.h"
#include "broker/monitor/monitor_link.h"
#include "broker/network/network.h"
#include "broker/operations/pod.h"
#include "broker/operations/pod_cgroup.h"
#include "broker/plan/container_spec.h"
#include "broker/plan/pod_cgroup.h"
#include "broker/plan/pod_ids.h"
#include "broker/plan/policy.h"
#include "broker/plan/runtime_choice.h"
#include "broker/spawner/worker.h"
#include "schema/worker/init.capnp.h"
#include "schema/worker/sandbox.capnp.h"
#include "schema/worker/userinit.capnp.h"
#include "validate/network.h"
#include "validate/pod.h"

namespace bulkhead::broker {
namespace {

constexpr uint64_t kShmBytes = 64 << 20;  // as every runtime of the field gives a pod

// A pod by the same key: the same request again, or a name that is taken.
absl::StatusOr<std::string> JoinExisting(const PodPtr& pod, schema::PodConfig::Reader config) {
  Record<schema::PodConfig> asked(config), kept(pod->record.read().getConfig());
  bool same = asked.Serialize() == kept.Serialize();
  if (same && pod->phase == Phase::kActive &&
      pod->record.read().getState() == schema::Pod::State::READY) {
    return pod->id;
  }
  return absl::AlreadyExistsError(
      absl::StrCat("config.metadata: the name is taken by pod sandbox ", pod->id,
                   same ? ", which is stopped" : ", which has another configuration"));
}

absl::StatusOr<PodPtr> NewPod(Broker& broker, schema::PodConfig::Reader config) {
  auto pod = std::make_shared<PodObject>();
  pod->id = base::NewId();
  auto record = pod->record.edit();
  record.setId(pod->id);
  record.setConfig(config);
  record.setOverhead(config.getOverhead());
  record.setResources(config.getResources());
  BULKHEAD_ASSIGN_OR_RETURN(const std::string cgroup,
                            PlanPodCgroup(broker.config, config, pod->id));
  record.setCgroup(cgroup);
  record.setState(schema::Pod::State::NOT_READY);
  record.setCreatedAtNs(WallClockNs());
  record.setBootId(kj::StringPtr(broker.boot_id.data(), broker.boot_id.size()).asBytes());
  return pod;
}

bool SharesPid(const PodObject& pod) {
  return pod.record.read().getConfig().getPid() == schema::NamespaceMode::POD;
}

bool HasUserNamespace(const PodObject& pod) {
  return pod.record.read().getIdMapping().getLength() > 0;
}

// What BuildPod needs of a sandbox for its next steps.
struct Sandbox {
  std::unique_ptr<PreparedAttachment> attachment;  // nullptr: the node's network
  base::UniqueFd user_namespace;                   // for its init, where that one is to live in it
};

absl::StatusOr<std::unique_ptr<Worker>> StartSandbox(Fiber& fiber, Broker& broker,
                                                     const PodObject& pod) {
  auto config = pod.record.read().getConfig();
  bool own_network = config.getNetwork() != schema::NamespaceMode::NODE;
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::SandboxJob>();
  job.setPodId(pod.id);
  auto make = job.initMake();
  make.setPodNamespace(config.getNamespace());
  make.setNewNetwork(own_network);
  make.setNewUts(own_network);
  make.setNewIpc(config.getIpc() != schema::NamespaceMode::NODE);
  make.setHostname(config.getHostname());
  make.setShmBytes(kShmBytes);
  make.setIdMapping(pod.record.read().getIdMapping());
  const bool answer_user = SharesPid(pod) && HasUserNamespace(pod);
  make.setAnswerUser(answer_user);
  make.setSysctls(config.getSysctls());
  make.setDnsServers(config.getDnsServers());
  make.setDnsSearches(config.getDnsSearches());
  make.setDnsOptions(config.getDnsOptions());
  return Worker::Start(fiber, broker.spawner, security::Kind::kSandbox, message, {},
                       {.result = {.max_fds = answer_user ? 1 : 0}});
}

template <typename Job, typename Result>
absl::Status RunInit(Fiber& fiber, Broker& broker, security::Kind kind, const std::string& pod_id,
                     absl::Span<const int> fds) {
  capnp::MallocMessageBuilder message;
  message.initRoot<Job>().setPodId(pod_id);
  BULKHEAD_ASSIGN_OR_RETURN(auto worker, Worker::Start(fiber, broker.spawner, kind, message, fds,
                                                       {.limit = absl::Seconds(10)}));
  return worker->Finish<Result>(fiber);
}

// The process that holds a shared PID namespace together.
absl::Status StartInit(Fiber& fiber, Broker& broker, PodObject& pod,
                       const base::UniqueFd& user_namespace) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd listener, ListenForMonitor(pod.id));
  if (user_namespace) {
    BULKHEAD_RETURN_IF_ERROR((RunInit<schema::UserinitJob, schema::UserinitResult>(
        fiber, broker, security::Kind::kUserinit, pod.id, {listener.get(), user_namespace.get()})));
  } else {
    BULKHEAD_RETURN_IF_ERROR((RunInit<schema::InitJob, schema::InitResult>(
        fiber, broker, security::Kind::kInit, pod.id, {listener.get()})));
  }
  BULKHEAD_ASSIGN_OR_RETURN(InitLink link, InitLink::Connect(fiber, pod.id));
  pod.init = std::make_shared<InitLink>(std::move(link));
  return absl::OkStatus();
}

// The namespaces, and meanwhile what a CNI network needs before its plugins can run.
absl::StatusOr<Sandbox> MakeSandbox(Fiber& fiber, Broker& broker, PodObject& pod) {
  BULKHEAD_ASSIGN_OR_RETURN(auto worker, StartSandbox(fiber, broker, pod));
  Sandbox sandbox;
  if (pod.record.read().getConfig().getNetwork() != schema::NamespaceMode::NODE) {
    absl::StatusOr<std::unique_ptr<PreparedAttachment>> tried =
        PrepareAttachment(fiber, broker, pod);
    if (!tried.ok()) {
      worker->Finish<schema::SandboxResult>(fiber).IgnoreError();
      return tried.status();
    }
    sandbox.attachment = *std::move(tried);
  }
  absl::Status made = worker->Finish<schema::SandboxResult>(
      fiber, [&](schema::SandboxResult::Reader, std::vector<base::UniqueFd>& fds) {
        if (!fds.empty()) sandbox.user_namespace = std::move(fds[0]);
        const bool missing = SharesPid(pod) && HasUserNamespace(pod) && fds.empty();
        return missing ? absl::InternalError("sandbox: no user namespace") : absl::OkStatus();
      });
  if (made.ok()) return sandbox;
  if (sandbox.attachment != nullptr) AbandonAttachment(broker, *sandbox.attachment);
  return made;
}

absl::Status BuildPod(Fiber& fiber, Broker& broker, const PodPtr& pod) {
  PodCgroupMaking cgroup;
  BULKHEAD_RETURN_IF_ERROR(cgroup.Begin(fiber, broker, *pod));
  absl::StatusOr<Sandbox> made = MakeSandbox(fiber, broker, *pod);
  // Awaited even so: what it makes after the undo would stay.
  absl::Status limited = cgroup.Finish(fiber, broker, *pod);
  BULKHEAD_RETURN_IF_ERROR(made.status());
  std::unique_ptr<PreparedAttachment> attachment = std::move(made->attachment);
  if (!limited.ok() && attachment != nullptr) AbandonAttachment(broker, *attachment);
  BULKHEAD_RETURN_IF_ERROR(limited);
  if (SharesPid(*pod)) {
    absl::Status started = StartInit(fiber, broker, *pod, made->user_namespace);
    made->user_namespace.Reset();  // it would keep the namespace alive
    if (!started.ok() && attachment != nullptr) AbandonAttachment(broker, *attachment);
    BULKHEAD_RETURN_IF_ERROR(started);
  }
  if (attachment != nullptr) {
    BULKHEAD_RETURN_IF_ERROR(AttachPod(fiber, broker, *pod, *attachment));
  }
  pod->record.edit().setState(schema::Pod::State::READY);
  pod->phase = Phase::kActive;
  return broker.state.Save(pod);
}

}  // namespace

absl::StatusOr<std::string> RunPod(Fiber& fiber, Broker& broker, schema::PodConfig::Reader config) {
  BULKHEAD_RETURN_IF_ERROR(validate::CheckPodConfig(config));
  BULKHEAD_RETURN_IF_ERROR(AskForPod(broker.policies, config));
  std::string key = PodKey(config);
  auto ordered = broker.keys.Acquire(fiber, key);
  if (PodPtr existing = broker.state.FindPodByKey(key)) {
    if (existing->phase != Phase::kRemoving) return JoinExisting(existing, config);
    // One that failed, and could not be undone then.
    auto held = existing->mutex.Acquire(fiber);
    if (existing->phase != Phase::kGone) {
      BULKHEAD_RETURN_IF_ERROR(DestroyPod(fiber, broker, existing));
    }
  }
  BULKHEAD_RETURN_IF_ERROR(validate::ReadNetworkWishes(config, broker.config).status());
  if (config.getHandler().size() > 0) {
    BULKHEAD_RETURN_IF_ERROR(CheckHandler(broker.config, config.getHandler().cStr()));
  }

  BULKHEAD_ASSIGN_OR_RETURN(PodPtr pod, NewPod(broker, config));
  // Until the row is saved nobody else looks for a range: nothing in between waits, as nobody else
  // has this pod's mutex.
  BULKHEAD_RETURN_IF_ERROR(
      ChooseIds(broker.config, broker.state, pod->record.edit(),
                HandlerNeedsUserNamespace(broker.config, config.getHandler().cStr())));
  auto held = pod->mutex.Acquire(fiber);
  BULKHEAD_RETURN_IF_ERROR(broker.state.Save(pod));
  absl::Status built = BuildPod(fiber, broker, pod);
  if (!built.ok()) {
    fiber.BeginUndo();
    absl::Status undone = DestroyPod(fiber, broker, pod);
    if (!undone.ok()) {
      base::Log(base::Severity::kError, "could not undo a pod",
                {{"pod", pod->id}, {"why", undone.message()}});
    }
    return built;
  }
  return pod->id;
}

}  // namespace bulkhead::broker
