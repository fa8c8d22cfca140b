#include "tools/audit_text.h"

#include <capnp/serialize.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/ids.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "schema/audit.capnp.h"

namespace bulkhead::tools {
namespace {

using nlohmann::json;
using schema::AuditRecord;

std::string Hex(capnp::Data::Reader bytes) {
  return base::ToHex({reinterpret_cast<const char*>(bytes.begin()), bytes.size()});
}

const char* PhaseName(AuditRecord::Phase phase) {
  switch (phase) {
    case AuditRecord::Phase::INTENT:
      return "intent";
    case AuditRecord::Phase::RESULT:
      return "result";
    case AuditRecord::Phase::EVENT:
      return "event";
  }
  return "unknown";
}

const char* ActorName(AuditRecord::Actor actor) {
  switch (actor) {
    case AuditRecord::Actor::KUBELET:
      return "kubelet";
    case AuditRecord::Actor::ADMIN:
      return "admin";
    case AuditRecord::Actor::SYSTEM:
      return "system";
  }
  return "unknown";
}

json EffectJson(schema::Effect::Reader effect) {
  json mounts = json::array();
  for (auto mount : effect.getMounts()) {
    mounts.push_back({{"source", mount.getSource().cStr()},
                      {"destination", mount.getDestination().cStr()},
                      {"readOnly", mount.getReadOnly()}});
  }
  json devices = json::array();
  for (capnp::Text::Reader device : effect.getDevices()) devices.push_back(device.cStr());
  return {{"configDigest", Hex(effect.getConfigDigest().getBytes())},
          {"uid", effect.getUid()},
          {"gid", effect.getGid()},
          {"capabilities", absl::StrFormat("%016x", effect.getCapabilities())},
          {"seccomp", effect.getSeccomp().cStr()},
          {"noNewPrivileges", effect.getNoNewPrivileges()},
          {"privileged", effect.getPrivileged()},
          {"hostNetwork", effect.getHostNetwork()},
          {"hostPid", effect.getHostPid()},
          {"hostIpc", effect.getHostIpc()},
          {"readOnlyRootfs", effect.getReadOnlyRootfs()},
          {"mounts", mounts},
          {"devices", devices}};
}

json RecordJson(const audit::Entry& entry, AuditRecord::Reader record) {
  json argv = json::array();
  for (capnp::Text::Reader word : record.getArgv()) argv.push_back(word.cStr());
  auto claimed = record.getClaimed();
  json out = {
      {"seq", entry.header.seq},
      {"time", absl::FormatTime(absl::FromUnixNanos(entry.header.wall_ns), absl::UTCTimeZone())},
      {"phase", PhaseName(record.getPhase())},
      {"operation", record.getOperation().cStr()},
      {"operationId", Hex(record.getOperationId())},
      {"actor", ActorName(record.getActor())},
      {"podId", record.getPodId().cStr()},
      {"containerId", record.getContainerId().cStr()},
      {"claimed",
       {{"namespace", claimed.getNamespace().cStr()},
        {"pod", claimed.getPod().cStr()},
        {"uid", claimed.getUid().cStr()},
        {"container", claimed.getContainer().cStr()}}},
      {"image", record.getImage().cStr()}};
  if (!argv.empty()) out["argv"] = argv;
  if (record.hasPolicyHash()) out["policyHash"] = Hex(record.getPolicyHash());
  if (record.getRule().size() > 0) out["rule"] = record.getRule().cStr();
  if (record.hasEffect()) out["effect"] = EffectJson(record.getEffect());
  if (record.getPhase() == AuditRecord::Phase::INTENT) return out;
  out["code"] = record.getCode();
  out["message"] = record.getMessage().cStr();
  out["durationUs"] = record.getDurationUs();
  return out;
}

std::string Line(const audit::Entry& entry, AuditRecord::Reader record) {
  auto claimed = record.getClaimed();
  std::string line = absl::StrFormat(
      "%d %s %s %s by %s", entry.header.seq,
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixNanos(entry.header.wall_ns),
                       absl::UTCTimeZone()),
      PhaseName(record.getPhase()), record.getOperation().cStr(), ActorName(record.getActor()));
  if (claimed.getPod().size() > 0) {
    absl::StrAppend(&line, " for ", claimed.getNamespace().cStr(), "/", claimed.getPod().cStr());
    if (claimed.getContainer().size() > 0) {
      absl::StrAppend(&line, "/", claimed.getContainer().cStr());
    }
  }
  if (record.getImage().size() > 0) absl::StrAppend(&line, " image ", record.getImage().cStr());
  for (capnp::Text::Reader word : record.getArgv()) absl::StrAppend(&line, " '", word.cStr(), "'");
  if (record.getPhase() == AuditRecord::Phase::RESULT) {
    absl::StrAppend(&line, ": ",
                    absl::StatusCodeToString(static_cast<absl::StatusCode>(record.getCode())),
                    " after ", record.getDurationUs() / 1000, " ms");
    if (record.getMessage().size() > 0) absl::StrAppend(&line, ": ", record.getMessage().cStr());
  }
  if (record.getRule().size() > 0 || record.getPhase() == AuditRecord::Phase::EVENT) {
    absl::StrAppend(&line, " policy ", Hex(record.getPolicyHash()));
  }
  return absl::CHexEscape(line);
}

}  // namespace

std::string RecordText(const audit::Entry& entry, bool as_json) {
  std::string text;
  const std::string& payload = entry.payload;
  const absl::Status table =
      ipc::CheckSegmentTable({reinterpret_cast<const uint8_t*>(payload.data()), payload.size()});
  const absl::Status read = !table.ok() ? table : ipc::Guarded([&] {
    std::vector<capnp::word> words(payload.size() / sizeof(capnp::word));
    memcpy(words.data(), payload.data(), words.size() * sizeof(capnp::word));
    capnp::FlatArrayMessageReader reader(kj::arrayPtr(words.data(), words.size()),
                                         ipc::SafeReaderOptions(payload.size()));
    auto record = reader.getRoot<AuditRecord>();
    text = as_json ? RecordJson(entry, record)
                         .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)
                   : Line(entry, record);
  });
  if (read.ok()) return text;
  return absl::StrCat(entry.header.seq, " is no record that this version can read");
}

}  // namespace bulkhead::tools
