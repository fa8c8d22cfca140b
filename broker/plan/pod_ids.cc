#include "broker/plan/pod_ids.h"

#include "absl/strings/str_cat.h"
#include "security/policy/pod_ids.h"

namespace bulkhead::broker {
namespace {

using security::kIdsOfOnePod;
constexpr char kField[] = "config.linux.security_context.namespace_options.userns_options";

bool Overlap(schema::IdMapping::Reader a, uint64_t first, uint64_t count) {
  return a.getLength() > 0 && a.getHostId() < first + count &&
         first < uint64_t{a.getHostId()} + a.getLength();
}

// A pod that was there before with the same uid has the same range, as Kubernetes gives ranges by
// uid; and one that is stopped has no process left.
absl::Status CheckAsked(const State& state, schema::Pod::Reader pod) {
  auto asked = pod.getConfig().getIdMapping();
  for (const auto& [id, other] : state.pods()) {
    auto record = other->record.read();
    if (record.getState() != schema::Pod::State::READY && other->phase != Phase::kCreating)
      continue;
    if (record.getConfig().getUid() == pod.getConfig().getUid()) continue;
    if (!Overlap(record.getIdMapping(), asked.getHostId(), asked.getLength())) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(kField, ".uids: some of them are those of pod sandbox ", id));
  }
  return absl::OkStatus();
}

bool IsFree(const State& state, uint64_t first) {
  for (const auto& [id, other] : state.pods()) {
    // Also a stopped one's: its volumes may still have files of these owners.
    if (Overlap(other->record.read().getIdMapping(), first, kIdsOfOnePod)) return false;
  }
  return true;
}

}  // namespace

absl::Status ChooseIds(schema::Config::Reader node, const State& state, schema::Pod::Builder pod,
                       bool always) {
  auto config = pod.asReader().getConfig();
  if (config.getUserNamespace() != schema::NamespaceMode::POD && !always) return absl::OkStatus();
  if (config.getIdMapping().getLength() > 0) {
    pod.setIdMapping(config.getIdMapping());
    return CheckAsked(state, pod.asReader());
  }
  if (node.getSubordinateCount() < kIdsOfOnePod) {
    return absl::FailedPreconditionError(absl::StrCat(
        kField, ".uids: none, and the node has no subordinate ids (user_namespaces, /etc/subuid)"));
  }
  const uint64_t end = uint64_t{node.getSubordinateFirst()} + node.getSubordinateCount();
  for (uint64_t first = node.getSubordinateFirst(); first + kIdsOfOnePod <= end;
       first += kIdsOfOnePod) {
    if (!IsFree(state, first)) continue;
    pod.initIdMapping().setHostId(static_cast<uint32_t>(first));
    pod.getIdMapping().setLength(kIdsOfOnePod);
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat(kField, ": all subordinate ids of the node are in use"));
}

}  // namespace bulkhead::broker
