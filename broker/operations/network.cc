#include "broker/operations/network.h"

#include <sys/socket.h>

#include "base/status.h"
#include "broker/spawner/worker.h"
#include "schema/worker/cni.capnp.h"
#include "schema/worker/network.capnp.h"

namespace bulkhead::broker {
namespace {

constexpr int kMaxConfigFiles = 32;
constexpr size_t kMaxAddresses = 16;
constexpr size_t kMaxRecordBytes = 256 * 1024;

struct ConfigFiles {
  std::vector<std::string> names;
  std::vector<base::UniqueFd> fds;
};

// Root alone may read them, so the network worker opens them.
absl::StatusOr<ConfigFiles> OpenConfig(Fiber& fiber, Broker& broker) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::NetworkJob>().setConfDir(broker.config.getCniConfDir());
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kNetwork, message, {},
                                 {.result = {.max_fds = kMaxConfigFiles}}));
  ConfigFiles files;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::NetworkResult>(
      fiber, [&](schema::NetworkResult::Reader result, std::vector<base::UniqueFd>& fds) {
        if (result.getFileNames().size() != fds.size()) {
          return absl::InternalError("network: names and files do not match");
        }
        for (auto name : result.getFileNames()) files.names.push_back(name.cStr());
        files.fds = std::move(fds);
        return absl::OkStatus();
      }));
  return files;
}

void FillPod(schema::Pod::Reader pod, schema::CniJob::Builder job) {
  auto config = pod.getConfig();
  job.setPodId(pod.getId());
  job.setPodName(config.getName());
  job.setPodNamespace(config.getNamespace());
  job.setPodUid(config.getUid());
  job.setPortMappings(config.getPortMappings());
  job.setDnsServers(config.getDnsServers());
  job.setDnsSearches(config.getDnsSearches());
  job.setDnsOptions(config.getDnsOptions());
}

void FillFiles(const ConfigFiles& files, schema::CniJob::Builder job, std::vector<int>& fds) {
  auto names = job.initFileNames(files.names.size());
  for (size_t i = 0; i < files.names.size(); ++i) names.set(i, files.names[i]);
  for (const base::UniqueFd& fd : files.fds) fds.push_back(fd.get());
}

void FillNetworkJob(Broker& broker, schema::Pod::Reader pod, schema::NetworkJob::Builder job) {
  auto config = pod.getConfig();
  job.setPodId(pod.getId());
  job.setPodName(config.getName());
  job.setPodNamespace(config.getNamespace());
  job.setPodUid(config.getUid());
  job.setInterface("eth0");
  job.setBinDirs(broker.config.getCniBinDirs());
  job.setPluginTimeoutMs(30'000);
  bool rebooted = std::string(pod.getBootId().asChars().begin(), pod.getBootId().size()) !=
                  broker.boot_id;
  job.setNetnsGone(rebooted);
}

// The two halves of CNI, joined by a socket pair: one thinks, the other acts.
template <typename Take>
absl::Status RunCni(Fiber& fiber, Broker& broker, schema::Pod::Reader pod,
                    capnp::MallocMessageBuilder& cni_job, std::vector<int> cni_fds, Take take) {
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pair, base::MakeSocketPair(SOCK_STREAM));
  capnp::MallocMessageBuilder network_job;
  FillNetworkJob(broker, pod, network_job.initRoot<schema::NetworkJob>());
  BULKHEAD_ASSIGN_OR_RETURN(auto network,
                            Worker::Start(fiber, broker.spawner, security::Kind::kNetwork,
                                          network_job, {pair.second.get()}));
  pair.second.Reset();
  cni_fds.insert(cni_fds.begin(), pair.first.get());
  BULKHEAD_ASSIGN_OR_RETURN(auto cni, Worker::Start(fiber, broker.spawner, security::Kind::kCni,
                                                    cni_job, cni_fds));
  pair.first.Reset();
  absl::Status thought = cni->FinishWhatever<schema::CniResult>(fiber, take);
  absl::Status acted = network->Finish<schema::NetworkResult>(fiber);
  return thought.ok() ? acted : thought;
}

absl::Status TakeAddresses(schema::CniResult::Reader result, schema::Pod::Builder pod) {
  if (result.getIps().size() > kMaxAddresses || result.getRecord().size() > kMaxRecordBytes) {
    return absl::InternalError("cni: the result is over its bounds");
  }
  pod.setIps(result.getIps());
  // Also where plugins failed, and failed to undo: what they still owe is paid when the pod is destroyed.
  pod.setCniRecord(result.getRecord());
  return ipc::ReadStatus(result.getStatus());
}

}  // namespace

absl::Status AddNetwork(Fiber& fiber, Broker& broker, PodObject& pod) {
  BULKHEAD_ASSIGN_OR_RETURN(ConfigFiles files, OpenConfig(fiber, broker));
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::CniJob>();
  job.setOperation(schema::CniJob::Operation::ADD);
  FillPod(pod.record.read(), job);
  std::vector<int> fds;
  FillFiles(files, job, fds);
  return RunCni(fiber, broker, pod.record.read(), message, fds,
                [&](schema::CniResult::Reader result, std::vector<base::UniqueFd>&) {
                  return TakeAddresses(result, pod.record.edit());
                });
}

absl::Status DeleteNetwork(Fiber& fiber, Broker& broker, PodObject& pod) {
  auto record = pod.record.read();
  if (record.getConfig().getNetwork() == schema::NamespaceMode::NODE) return absl::OkStatus();
  if (record.getCniRecord().size() == 0) return absl::OkStatus();
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::CniJob>();
  job.setOperation(schema::CniJob::Operation::DEL);
  FillPod(record, job);
  job.setRecord(record.getCniRecord());
  BULKHEAD_RETURN_IF_ERROR(
      RunCni(fiber, broker, record, message, {},
             [](schema::CniResult::Reader result, std::vector<base::UniqueFd>&) {
               return ipc::ReadStatus(result.getStatus());
             }));
  pod.record.edit().setCniRecord(nullptr);
  return absl::OkStatus();
}

absl::Status CheckNetwork(Fiber& fiber, Broker& broker) {
  BULKHEAD_ASSIGN_OR_RETURN(ConfigFiles files, OpenConfig(fiber, broker));
  if (files.fds.empty()) {
    return absl::FailedPreconditionError("no network configuration in the CNI directory");
  }
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::CniJob>();
  job.setOperation(schema::CniJob::Operation::LOAD);
  std::vector<int> fds;
  FillFiles(files, job, fds);
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kCni, message, fds));
  return worker->Finish<schema::CniResult>(fiber);
}

}  // namespace bulkhead::broker
