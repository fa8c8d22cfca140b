#include "broker/operations/stream.h"

#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "broker/monitor/monitor_link.h"
#include "broker/operations/launch.h"
#include "broker/plan/container_spec.h"
#include "broker/spawner/worker.h"
#include "schema/worker/dial.capnp.h"
#include "validate/container.h"

namespace bulkhead::broker {
namespace {

constexpr absl::Duration kStartLimit = absl::Seconds(60);
constexpr int kMaxExecFds = 4;

// The container, where it runs and the policy grants such a stream now.
absl::StatusOr<ContainerPtr> FindRunning(Broker& broker, const std::string& id,
                                         security::PodStream stream) {
  BULKHEAD_ASSIGN_OR_RETURN(ContainerPtr container, broker.state.FindContainer(id));
  if (container->phase == Phase::kActive &&
      container->record.read().getState() == schema::Container::State::RUNNING) {
    BULKHEAD_ASSIGN_OR_RETURN(PodPtr pod,
                              broker.state.FindPod(container->record.read().getPodId().cStr()));
    BULKHEAD_RETURN_IF_ERROR(AskForStream(broker.policies, pod->record.read(), stream));
    return container;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("container ", container->id, ": is not running"));
}

// The pod, where a port-forward into it is allowed now.
absl::StatusOr<PodPtr> FindForwardable(Broker& broker, const std::string& pod_id) {
  BULKHEAD_ASSIGN_OR_RETURN(PodPtr pod, broker.state.FindPod(pod_id));
  auto record = pod->record.read();
  if (pod->phase != Phase::kActive || record.getState() != schema::Pod::State::READY) {
    return absl::FailedPreconditionError(absl::StrCat("pod ", pod->id, ": is not ready"));
  }
  BULKHEAD_RETURN_IF_ERROR(
      AskForStream(broker.policies, record, security::PodStream::kPortForward));
  if (record.getConfig().getNetwork() == schema::NamespaceMode::NODE &&
      !broker.config.getStreaming().getForwardToNode()) {
    base::Log(base::Severity::kWarning, "refused a port-forward into the node's network",
              {{"pod", pod->id}});
    return absl::PermissionDeniedError(
        absl::StrCat("pod ", pod->id, ": is on the node's network, into which the configuration ",
                     "(streaming.forward_to_node) does not let port-forwards"));
  }
  return pod;
}

absl::StatusOr<std::string> Offer(Broker& broker, absl::string_view path, StreamGrant grant) {
  const std::string id = grant.id;
  BULKHEAD_ASSIGN_OR_RETURN(const std::string token, broker.tokens.Issue(std::move(grant)));
  base::Log(base::Severity::kInfo, "stream offered", {{"what", path}, {"id", id}});
  return absl::StrCat(broker.config.getStreaming().getUrl().cStr(), "/", path, "/", token);
}

StreamGrant GrantOf(schema::StreamVerb verb, const std::string& id, const WantedStreams& wanted) {
  StreamGrant grant;
  grant.verb = verb;
  grant.id = id;
  grant.tty = wanted.tty;
  grant.in = wanted.in;
  grant.out = wanted.out;
  grant.err = wanted.err;
  return grant;
}

}  // namespace

absl::StatusOr<std::string> OfferExec(Broker& broker, const std::string& id,
                                      capnp::List<capnp::Text>::Reader argv,
                                      const WantedStreams& wanted) {
  BULKHEAD_RETURN_IF_ERROR(validate::CheckArguments("cmd", argv));
  BULKHEAD_RETURN_IF_ERROR(validate::CheckStreams(wanted.tty, wanted.in, wanted.out, wanted.err));
  BULKHEAD_ASSIGN_OR_RETURN(ContainerPtr container,
                            FindRunning(broker, id, security::PodStream::kExec));
  StreamGrant grant = GrantOf(schema::StreamVerb::EXEC, container->id, wanted);
  grant.job = std::make_shared<capnp::MallocMessageBuilder>();
  auto job = grant.job->initRoot<schema::LaunchJob>();
  FillLaunch(broker, *container, job);
  auto stream = job.initExecStream();
  BULKHEAD_RETURN_IF_ERROR(PlanExec(container->spec.read(), argv, stream.initProcess()));
  if (wanted.tty) PlanTerminal(stream.getProcess());
  stream.setStdin(wanted.in);
  stream.setStdout(wanted.out);
  stream.setStderr(wanted.err);
  return Offer(broker, "exec", std::move(grant));
}

absl::StatusOr<std::string> OfferAttach(Broker& broker, const std::string& id,
                                        const WantedStreams& wanted) {
  BULKHEAD_RETURN_IF_ERROR(validate::CheckStreams(wanted.tty, wanted.in, wanted.out, wanted.err));
  BULKHEAD_ASSIGN_OR_RETURN(ContainerPtr container,
                            FindRunning(broker, id, security::PodStream::kAttach));
  return Offer(broker, "attach", GrantOf(schema::StreamVerb::ATTACH, container->id, wanted));
}

absl::StatusOr<std::string> OfferPortForward(Broker& broker, const std::string& pod_id,
                                             const std::vector<uint16_t>& ports) {
  BULKHEAD_ASSIGN_OR_RETURN(PodPtr pod, FindForwardable(broker, pod_id));
  StreamGrant grant = GrantOf(schema::StreamVerb::PORT_FORWARD, pod->id, {});
  grant.ports = ports;
  return Offer(broker, "portforward", std::move(grant));
}

absl::StatusOr<std::vector<base::UniqueFd>> StartExec(Fiber& fiber, Broker& broker,
                                                      const StreamGrant& grant) {
  BULKHEAD_ASSIGN_OR_RETURN(ContainerPtr container,
                            FindRunning(broker, grant.id, security::PodStream::kExec));
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, LaunchKind(broker, *container), *grant.job,
                                 {}, {.limit = kStartLimit, .result = {.max_fds = kMaxExecFds}}));
  std::vector<base::UniqueFd> fds;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::LaunchResult>(
      fiber, [&](schema::LaunchResult::Reader, std::vector<base::UniqueFd>& came) {
        fds = std::move(came);
        return absl::OkStatus();
      }));
  return fds;
}

absl::StatusOr<std::vector<base::UniqueFd>> StartAttach(Fiber& fiber, Broker& broker,
                                                        const StreamGrant& grant) {
  BULKHEAD_ASSIGN_OR_RETURN(ContainerPtr container,
                            FindRunning(broker, grant.id, security::PodStream::kAttach));
  if (container->monitor == nullptr) return absl::UnavailableError("the container has no monitor");
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pair, base::MakeSocketPair(SOCK_SEQPACKET));
  BULKHEAD_RETURN_IF_ERROR(container->monitor->Attach(
      fiber, {.in = grant.in, .out = grant.out, .err = grant.err}, pair.second.get()));
  std::vector<base::UniqueFd> fds;
  fds.push_back(std::move(pair.first));
  return fds;
}

absl::StatusOr<base::UniqueFd> DialPod(Fiber& fiber, Broker& broker, const std::string& pod_id,
                                       uint16_t port) {
  BULKHEAD_ASSIGN_OR_RETURN(PodPtr pod, FindForwardable(broker, pod_id));
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::DialJob>();
  job.setPodId(pod->id);
  job.setPort(port);
  job.setNode(pod->record.read().getConfig().getNetwork() == schema::NamespaceMode::NODE);
  BULKHEAD_ASSIGN_OR_RETURN(auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kDial,
                                                       message, {}, {.result = {.max_fds = 1}}));
  base::UniqueFd socket;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::DialResult>(
      fiber, [&](schema::DialResult::Reader, std::vector<base::UniqueFd>& came) -> absl::Status {
        if (came.size() != 1) return absl::InternalError("worker dial gave no socket");
        socket = std::move(came[0]);
        return absl::OkStatus();
      }));
  return socket;
}

}  // namespace bulkhead::broker
