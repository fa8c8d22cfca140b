#include "broker/audit/operation.h"

#include <sys/random.h>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "broker/audit/effect.h"
#include "broker/audit/policy_change.h"
#include "broker/operations/space.h"
#include "security/policy/pod_policy.h"

namespace bulkhead::broker {
namespace {

constexpr unsigned kMaxWords = 64;
constexpr size_t kMaxWordBytes = 256;
constexpr size_t kMaxMessageBytes = 1024;
constexpr size_t kOperationIdBytes = 16;

kj::String Cut(absl::string_view text, size_t most) {
  return kj::heapString(text.data(), std::min(text.size(), most));
}

std::string ReferenceText(schema::ImageReference::Reader reference) {
  std::string text =
      absl::StrCat(reference.getRegistry().cStr(), "/", reference.getRepository().cStr());
  if (reference.getTag().size() > 0) absl::StrAppend(&text, ":", reference.getTag().cStr());
  auto digest = reference.getDigest().getBytes();
  if (digest.size() > 0) {
    absl::StrAppend(&text, "@sha256:",
                    base::ToHex({reinterpret_cast<const char*>(digest.begin()), digest.size()}));
  }
  return text;
}

}  // namespace

Operation::Operation(Fiber& fiber, Broker& broker, absl::string_view name, const std::string& id,
                     Actor actor)
    : fiber_(fiber),
      broker_(broker),
      timeline_(std::make_shared<Timeline>()),
      record_(message_.initRoot<schema::AuditRecord>()) {
  timeline_->operation = std::string(name);
  timeline_->wall_ns = WallClockNs();
  outer_ = fiber.ReplaceTimeline(timeline_);
  auto operation_id = record_.initOperationId(kOperationIdBytes);
  if (getrandom(operation_id.begin(), kOperationIdBytes, 0) != kOperationIdBytes) return;
  record_.setOperation(timeline_->operation);
  record_.setActor(actor);
  SetPolicyHash(broker, record_);
  if (!id.empty()) Name(id);
}

Operation::~Operation() {
  fiber_.ReplaceTimeline(outer_);
  timeline_->total_us = MonotonicMicros() - timeline_->begin_us;
  broker_.metrics.Count(*timeline_);
  broker_.timelines.Add(timeline_);
}

void Operation::Name(const std::string& id) {
  PodPtr pod;
  if (auto container = broker_.state.FindContainer(id); container.ok()) {
    auto record = (*container)->record.read();
    timeline_->object_id = (*container)->id;
    record_.setImage(record.getImageId());
    record_.initClaimed().setContainer(record.getConfig().getName());
    pod = broker_.state.FindPod(record.getPodId().cStr()).value_or(nullptr);
  } else {
    pod = broker_.state.FindPod(id).value_or(nullptr);
  }
  if (pod != nullptr) {
    timeline_->pod_id = pod->id;
    Of(pod->record.read().getConfig());
  }
  record_.setPodId(timeline_->pod_id);
  record_.setContainerId(timeline_->object_id);
}

Operation& Operation::Of(schema::PodConfig::Reader config) {
  auto claimed = record_.getClaimed();
  claimed.setNamespace(config.getNamespace());
  claimed.setPod(config.getName());
  claimed.setUid(config.getUid());
  return *this;
}

Operation& Operation::Of(schema::ContainerConfig::Reader config) {
  record_.getClaimed().setContainer(config.getName());
  return OfImage(config.getImage().cStr());
}

Operation& Operation::Of(schema::ImageReference::Reader reference) {
  return OfImage(ReferenceText(reference));
}

Operation& Operation::OfImage(absl::string_view name) {
  record_.setImage(Cut(name, kMaxMessageBytes));
  return *this;
}

Operation& Operation::Grows() {
  space_ = RequireSpace(broker_);
  if (!space_.ok()) timeline_->outcome = absl::StatusCodeToString(space_.code());
  return *this;
}

Operation& Operation::WithArguments(capnp::List<capnp::Text>::Reader argv) {
  auto words = record_.initArgv(std::min(argv.size(), kMaxWords));
  for (unsigned i = 0; i < words.size(); ++i) words.set(i, Cut(argv[i].cStr(), kMaxWordBytes));
  return *this;
}

void Operation::Begin() {
  record_.setPhase(schema::AuditRecord::Phase::INTENT);
  fiber_.SetIntent(broker_.audit.Record(message_));
}

void Operation::End(const absl::Status& status) {
  timeline_->outcome = absl::StatusCodeToString(status.code());
  fiber_.SetIntent(absl::OkStatus());
  if (!broker_.audit.enabled()) return;
  record_.setPhase(schema::AuditRecord::Phase::RESULT);
  record_.setCode(static_cast<uint16_t>(status.code()));
  record_.setMessage(Cut(status.message(), kMaxMessageBytes));
  record_.setRule(Cut(security::RuleOf(status), kMaxMessageBytes));
  record_.setDurationUs(MonotonicMicros() - timeline_->begin_us);
  if (timeline_->operation == "CreateContainer" && status.ok()) {
    auto container = broker_.state.FindContainer(timeline_->object_id);
    if (container.ok()) WriteEffect(**container, record_.initEffect());
  }
  broker_.loop.Add(broker_.audit.Record(message_).ignoreResult());
}

}  // namespace bulkhead::broker
