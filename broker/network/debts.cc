#include <algorithm>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "broker/broker.h"
#include "broker/network/network.h"
#include "broker/network/plugins.h"
#include "validate/text.h"

namespace bulkhead::broker {
namespace {

// How long the end of a pod waits for its network: longer than plugins take on a busy node, shorter
// than kubelet waits.
constexpr absl::Duration kStopPatience = absl::Seconds(10);
constexpr absl::Duration kFirstBackOff = absl::Seconds(1);
// Of those that failed before; a pod's first try does not queue behind them.
constexpr int kMaxRetriesAtOnce = 4;
constexpr size_t kMaxErrorBytes = 1024;
constexpr char kPodRanges[] = "pod-ranges";

// 1, 2, 4 ... seconds, up to the configured longest.
absl::Duration BackOff(const Broker& broker, uint32_t failures) {
  const absl::Duration longest = absl::Seconds(broker.config.getCniRetryMaxSeconds());
  return std::min(longest, kFirstBackOff * (int64_t{1} << std::min(failures - 1, 20u)));
}

absl::Status Delete(Fiber& fiber, Broker& broker, const AttachmentObject& attachment) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::CniJob>();
  job.setOperation(schema::CniJob::Operation::DEL);
  job.setAttachment(attachment.record.read());
  auto for_pod = attachment.record.read();
  return RunCni(fiber, broker, &for_pod, message);
}

void NoteFailure(Broker& broker, const AttachmentPtr& attachment, const absl::Status& why) {
  auto record = attachment->record.edit();
  record.setFailures(record.getFailures() + 1);
  // A struct's old text stays in its memory until the record is copied.
  record.setLastError(std::string(why.message().substr(0, kMaxErrorBytes)));
  attachment->record = Record<schema::NetworkAttachment>(attachment->record.read());
  const absl::Duration pause = BackOff(broker, attachment->record.read().getFailures());
  attachment->next_try = absl::Now() + pause;
  base::Log(base::Severity::kWarning, "a pod's network could not be undone; it will be tried again",
            {{"pod", attachment->pod_id},
             {"failures", attachment->record.read().getFailures()},
             {"next", absl::FormatDuration(pause)},
             {"why", why.message()}});
  absl::Status saved = broker.state.Save(attachment, Durability::kProcess);
  if (!saved.ok()) {
    base::Log(base::Severity::kError, "could not write a debt down", {{"why", saved.message()}});
  }
}

// One try of DEL. The attachment's paying was set by who calls.
void Pay(Fiber& fiber, Broker& broker, const AttachmentPtr& attachment) {
  absl::Status paid = Delete(fiber, broker, *attachment);
  if (paid.ok()) paid = broker.state.Forget(attachment);
  attachment->paying = false;
  if (!paid.ok()) NoteFailure(broker, attachment, paid);
  if (broker.network.wake.get() != nullptr) broker.network.wake->fulfill();
}

struct Schedule {
  std::vector<AttachmentPtr> now;
  absl::Time next = absl::InfiniteFuture();
  int under_way = 0;
};

Schedule Look(const Broker& broker) {
  Schedule schedule;
  const absl::Time now = absl::Now();
  for (const auto& [id, attachment] : broker.state.attachments()) {
    if (!attachment->record.read().getDue()) continue;
    if (attachment->paying) {
      ++schedule.under_way;
    } else if (attachment->next_try <= now) {
      schedule.now.push_back(attachment);
    } else {
      schedule.next = std::min(schedule.next, attachment->next_try);
    }
  }
  return schedule;
}

void StartPaying(Broker& broker, const AttachmentPtr& attachment) {
  attachment->paying = true;
  broker.loop.Detach([&broker, attachment](Fiber& fiber) { Pay(fiber, broker, attachment); });
}

}  // namespace

absl::Status MakeDue(Broker& broker, const AttachmentPtr& attachment) {
  auto record = attachment->record.edit();
  if (record.getDue()) return absl::OkStatus();
  record.setDue(true);
  record.setDueSinceNs(WallClockNs());
  return broker.state.Save(attachment, Durability::kProcess);
}

absl::Status DetachPod(Fiber& fiber, Broker& broker, const std::string& pod_id) {
  AttachmentPtr attachment = broker.state.FindAttachment(pod_id);
  if (attachment == nullptr) return absl::OkStatus();
  BULKHEAD_RETURN_IF_ERROR(MakeDue(broker, attachment));
  // While the broker starts, nothing waits: PayDebts comes to it.
  if (broker.network.wake.get() == nullptr) return absl::OkStatus();
  // It is being tried, or has failed: no pod waits for a network that is known to be broken.
  if (attachment->paying || attachment->record.read().getFailures() > 0) return absl::OkStatus();
  attachment->paying = true;
  auto paid =
      broker.loop.Run([&broker, attachment, timeline = fiber.timeline()](Fiber& background) {
        background.ReplaceTimeline(timeline);
        Pay(background, broker, attachment);
        return true;
      });
  fiber.WaitFor(paid.ignoreResult(), kStopPatience);
  return absl::OkStatus();
}

void PayDebts(Fiber& fiber, Broker& broker) {
  while (true) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    broker.network.wake = kj::mv(paf.fulfiller);
    Schedule schedule = Look(broker);
    for (const AttachmentPtr& attachment : schedule.now) {
      if (schedule.under_way++ >= kMaxRetriesAtOnce) break;
      StartPaying(broker, attachment);
    }
    const absl::Duration pause =
        std::clamp(schedule.next - absl::Now(), absl::Milliseconds(10), absl::Minutes(10));
    fiber.WaitFor(kj::mv(paf.promise), pause);
  }
}

absl::Status CollectNetworkGarbage(Fiber& fiber, Broker& broker) {
  BULKHEAD_ASSIGN_OR_RETURN(NetworkConfiguration network, CurrentNetwork(fiber, broker));
  if (!network.has_status) return absl::OkStatus();
  auto held = broker.network.collecting.Acquire(fiber);
  std::vector<AttachmentPtr> valid;
  for (const auto& [id, attachment] : broker.state.attachments()) {
    auto record = attachment->record.read();
    if (!record.getDue() && network.name == record.getNetworkName().cStr()) {
      valid.push_back(attachment);
    }
  }
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::CniJob>();
  job.setOperation(schema::CniJob::Operation::GC);
  job.setConfiguration(kj::StringPtr(network.document.data(), network.document.size()).asBytes());
  auto list = job.initValid(valid.size());
  for (size_t i = 0; i < valid.size(); ++i) {
    list[i].setPodId(valid[i]->pod_id);
    list[i].setInterface(valid[i]->record.read().getInterface());
  }
  return RunCni(fiber, broker, nullptr, message);
}

absl::Status SetPodRanges(Broker& broker, const std::vector<std::string>& subnets) {
  return broker.state.SaveSetting(kPodRanges, absl::StrJoin(subnets, ","));
}

std::vector<std::string> PodRanges(const Broker& broker) {
  return absl::StrSplit(broker.state.Setting(kPodRanges), ',', absl::SkipEmpty());
}

}  // namespace bulkhead::broker
