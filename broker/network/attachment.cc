#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "broker/network/network.h"
#include "broker/network/plugins.h"
#include "broker/plan/pod_cgroup.h"
#include "validate/network.h"
#include "validate/text.h"

namespace bulkhead::broker {
namespace {

constexpr size_t kMaxAddresses = 16;
constexpr size_t kMaxResultBytes = 64 << 10;
// More than any chain has: until ADD has told, each plugin may have left something.
constexpr uint16_t kAllPlugins = UINT16_MAX;

absl::Status FillCapabilities(const Broker& broker, schema::Pod::Reader pod,
                              schema::NetworkCapabilities::Builder out) {
  auto config = pod.getConfig();
  BULKHEAD_ASSIGN_OR_RETURN(validate::NetworkWishes wishes,
                            validate::ReadNetworkWishes(config, broker.config));
  out.setPortMappings(config.getPortMappings());
  out.setDnsServers(config.getDnsServers());
  out.setDnsSearches(config.getDnsSearches());
  out.setDnsOptions(config.getDnsOptions());
  out.setCgroupPath(PathOfPodCgroup(pod.getCgroup().cStr()));
  out.setIngressBitsPerSecond(wishes.ingress_bits_per_second);
  out.setEgressBitsPerSecond(wishes.egress_bits_per_second);
  auto ips = out.initIps(wishes.ips.size());
  for (size_t i = 0; i < wishes.ips.size(); ++i) ips.set(i, wishes.ips[i]);
  out.setMac(wishes.mac);
  const std::vector<std::string> subnets = PodRanges(broker);
  auto ranges = out.initIpRanges(subnets.size());
  for (size_t i = 0; i < subnets.size(); ++i) ranges.set(i, subnets[i]);
  return absl::OkStatus();
}

absl::StatusOr<AttachmentPtr> NewAttachment(const Broker& broker, schema::Pod::Reader pod,
                                            const NetworkConfiguration& network) {
  auto attachment = std::make_shared<AttachmentObject>();
  attachment->pod_id = pod.getId().cStr();
  auto record = attachment->record.edit();
  auto config = pod.getConfig();
  record.setPodId(pod.getId());
  record.setPodName(config.getName());
  record.setPodNamespace(config.getNamespace());
  record.setPodUid(config.getUid());
  record.setInterface("eth0");
  record.setBootId(pod.getBootId());
  record.setNetworkName(network.name);
  record.setConfiguration(
      kj::StringPtr(network.document.data(), network.document.size()).asBytes());
  record.setAttempted(kAllPlugins);
  BULKHEAD_RETURN_IF_ERROR(FillCapabilities(broker, pod, record.initCapabilities()));
  return attachment;
}

absl::Status CheckAddresses(capnp::List<capnp::Text>::Reader ips) {
  if (ips.size() > kMaxAddresses) return absl::InternalError("cni: too many addresses");
  for (auto ip : ips) {
    if (!validate::CheckAddress("cni", validate::View(ip)).ok()) {
      return absl::InternalError("cni: not an address");
    }
  }
  return absl::OkStatus();
}

absl::Status TakeAdded(schema::CniResult::Reader result, schema::Pod::Builder pod,
                       AttachmentObject& attachment) {
  if (result.getResult().size() > kMaxResultBytes) {
    return absl::InternalError("cni: the result is over its bounds");
  }
  auto record = attachment.record.edit();
  record.setAttempted(result.getAttempted());
  record.setResult(result.getResult());
  BULKHEAD_RETURN_IF_ERROR(ipc::ReadStatus(result.getStatus()));
  BULKHEAD_RETURN_IF_ERROR(CheckAddresses(result.getIps()));
  pod.setIps(result.getIps());
  return absl::OkStatus();
}

}  // namespace

PreparedAttachment::PreparedAttachment() = default;
PreparedAttachment::~PreparedAttachment() = default;

absl::StatusOr<std::unique_ptr<PreparedAttachment>> PrepareAttachment(Fiber& fiber, Broker& broker,
                                                                      PodObject& pod) {
  auto prepared = std::make_unique<PreparedAttachment>();
  BULKHEAD_ASSIGN_OR_RETURN(NetworkConfiguration network, CurrentNetwork(fiber, broker));
  BULKHEAD_ASSIGN_OR_RETURN(prepared->attachment,
                            NewAttachment(broker, pod.record.read(), network));
  auto for_pod = prepared->attachment->record.read();
  BULKHEAD_ASSIGN_OR_RETURN(prepared->workers, CniPair::Start(fiber, broker, &for_pod));
  // Not while garbage is collected, which would take this one for some.
  auto held = broker.network.collecting.Acquire(fiber);
  // Before anything may be left on the node, it is owed.
  TimedStep save = fiber.Step("write the debt down");
  BULKHEAD_RETURN_IF_ERROR(broker.state.Save(prepared->attachment, Durability::kPower));
  pod.record.edit().setNetworkName(network.name);
  return prepared;
}

void AbandonAttachment(Broker& broker, const PreparedAttachment& prepared) {
  absl::Status forgotten = broker.state.Forget(prepared.attachment);
  // Then DEL will be done for nothing, which does no harm.
  if (forgotten.ok()) return;
  base::Log(base::Severity::kError, "could not forget a debt", {{"why", forgotten.message()}});
}

absl::Status AttachPod(Fiber& fiber, Broker& broker, PodObject& pod, PreparedAttachment& prepared) {
  const AttachmentPtr& attachment = prepared.attachment;
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::CniJob>();
  job.setOperation(schema::CniJob::Operation::ADD);
  job.setAttachment(attachment->record.read());
  absl::Status added =
      prepared.workers->Run(fiber, message, {}, [&](schema::CniResult::Reader result) {
        return TakeAdded(result, pod.record.edit(), *attachment);
      });
  // They must have ended before somebody else works on the same network.
  prepared.workers.reset();
  // All was undone, or nothing ever ran.
  if (!added.ok() && attachment->record.read().getAttempted() == 0) {
    BULKHEAD_RETURN_IF_ERROR(broker.state.Forget(attachment));
    return added;
  }
  BULKHEAD_RETURN_IF_ERROR(broker.state.Save(attachment, Durability::kProcess));
  return added;
}

absl::Status CheckPodNetwork(Fiber& fiber, Broker& broker, const std::string& pod_id) {
  AttachmentPtr attachment = broker.state.FindAttachment(pod_id);
  if (attachment == nullptr || attachment->record.read().getDue()) return absl::OkStatus();
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::CniJob>();
  job.setOperation(schema::CniJob::Operation::CHECK);
  job.setAttachment(attachment->record.read());
  auto for_pod = attachment->record.read();
  return RunCni(fiber, broker, &for_pod, message);
}

}  // namespace bulkhead::broker
