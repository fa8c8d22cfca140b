#include "broker/network/plugins.h"

#include <sys/socket.h>

#include "base/status.h"

namespace bulkhead::broker {
namespace {

void FillNetworkJob(const Broker& broker, const schema::NetworkAttachment::Reader* pod,
                    schema::NetworkJob::Builder job) {
  job.setBinDirs(broker.config.getCniBinDirs());
  job.setPluginTimeoutMs(broker.config.getCniPluginTimeoutMs());
  if (pod == nullptr) return;
  job.setPodId(pod->getPodId());
  job.setPodName(pod->getPodName());
  job.setPodNamespace(pod->getPodNamespace());
  job.setPodUid(pod->getPodUid());
  job.setInterface(pod->getInterface());
  // After a reboot the same path may hold another pod's namespace, or none.
  auto boot = pod->getBootId();
  job.setNetnsGone(std::string(boot.asChars().begin(), boot.size()) != broker.boot_id);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CniPair>> CniPair::Start(
    Fiber& fiber, Broker& broker, const schema::NetworkAttachment::Reader* pod) {
  std::unique_ptr<CniPair> started(new CniPair());
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pair, base::MakeSocketPair(SOCK_STREAM));
  capnp::MallocMessageBuilder job;
  FillNetworkJob(broker, pod, job.initRoot<schema::NetworkJob>());
  BULKHEAD_ASSIGN_OR_RETURN(
      started->network_,
      Worker::Start(fiber, broker.spawner, security::Kind::kNetwork, job, {pair.second.get()}));
  BULKHEAD_ASSIGN_OR_RETURN(started->cni_,
                            Worker::Begin(fiber, broker.spawner, security::Kind::kCni));
  started->socket_ = std::move(pair.first);
  return started;
}

absl::Status CniPair::Run(Fiber& fiber, capnp::MessageBuilder& job, const std::vector<int>& fds,
                          const TakeCniResult& take) {
  std::vector<int> all = {socket_.get()};
  all.insert(all.end(), fds.begin(), fds.end());
  BULKHEAD_RETURN_IF_ERROR(cni_->Give(fiber, job, all));
  socket_.Reset();
  absl::Status thought = cni_->FinishWhatever<schema::CniResult>(
      fiber,
      [&](schema::CniResult::Reader result, std::vector<base::UniqueFd>&) { return take(result); });
  // Its word on the plugins has come already, through cni. It ends when cni does.
  absl::Status acted = network_->Finish<schema::NetworkResult>(fiber);
  return thought.ok() ? acted : thought;
}

absl::Status RunCni(Fiber& fiber, Broker& broker, const schema::NetworkAttachment::Reader* pod,
                    capnp::MessageBuilder& job, const std::vector<int>& fds,
                    const TakeCniResult& take) {
  BULKHEAD_ASSIGN_OR_RETURN(std::unique_ptr<CniPair> pair, CniPair::Start(fiber, broker, pod));
  return pair->Run(fiber, job, fds, take);
}

absl::Status RunCni(Fiber& fiber, Broker& broker, const schema::NetworkAttachment::Reader* pod,
                    capnp::MessageBuilder& job) {
  return RunCni(fiber, broker, pod, job, {}, [](schema::CniResult::Reader result) {
    return ipc::ReadStatus(result.getStatus());
  });
}

}  // namespace bulkhead::broker
