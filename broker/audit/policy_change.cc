#include "broker/audit/policy_change.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"
#include "security/policy/pod_policy_codec.h"

namespace bulkhead::broker {
namespace {

absl::StatusOr<security::PodPolicies> Read(int memfd) {
  struct stat st;
  if (fstat(memfd, &st) != 0) return base::ErrnoStatus("stat the policy");
  if (st.st_size <= 0 || static_cast<size_t>(st.st_size) > security::kMaxPodPolicyBytes) {
    return absl::InternalError("no sensible size");
  }
  // By offset: the supervisor sends the same open file to each broker.
  BULKHEAD_ASSIGN_OR_RETURN(const std::string bytes,
                            base::ReadAt(memfd, 0, static_cast<size_t>(st.st_size)));
  return security::DecodePodPolicies(bytes);
}

void RecordChange(Broker& broker, const std::string& before) {
  if (!broker.audit.enabled()) return;
  capnp::MallocMessageBuilder message;
  auto record = message.initRoot<schema::AuditRecord>();
  record.setPhase(schema::AuditRecord::Phase::EVENT);
  record.setOperation("PolicyChange");
  record.setActor(schema::AuditRecord::Actor::ADMIN);
  record.setMessage(absl::StrCat("takes the place of ", base::ToHex(before)));
  SetPolicyHash(broker, record);
  broker.loop.Add(broker.audit.Record(message).ignoreResult());
}

}  // namespace

void SetPolicyHash(const Broker& broker, schema::AuditRecord::Builder record) {
  if (!broker.policies) return;
  const std::string& hash = broker.policies->hash;
  record.setPolicyHash(kj::StringPtr(hash.c_str(), hash.size()).asBytes());
}

void AdoptPolicy(Broker& broker, int memfd) {
  absl::StatusOr<security::PodPolicies> policies = Read(memfd);
  if (!policies.ok()) {
    base::Log(base::Severity::kError, "policy of pods not taken over",
              {{"error", policies.status().message()}});
    return;
  }
  const std::string before = broker.policies ? broker.policies->hash : "";
  broker.policies = *std::move(policies);
  base::Log(
      base::Severity::kInfo, "policy of pods",
      {{"profile", broker.policies->node.profile}, {"sha256", base::ToHex(broker.policies->hash)}});
  if (!before.empty() && before != broker.policies->hash) RecordChange(broker, before);
}

}  // namespace bulkhead::broker
