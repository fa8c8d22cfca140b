#include "worker/cni/job.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "ipc/status_codec.h"
#include "worker/cni/chain.h"
#include "worker/cni/record.h"
#include "worker/cni/result.h"
#include "worker/cni/runtime_config.h"

namespace bulkhead::cni {
namespace {

using Job = schema::CniJob::Reader;
using Operation = schema::CniJob::Operation;
using Fds = std::vector<base::UniqueFd>;

struct Outcome {
  absl::Status status;
  std::vector<std::string> ips;
  std::string record;
  std::string network_name;
};

// The first file in order that is a good configuration; why each one before it is none goes to the
// log. fds: first_file of them are something else.
absl::StatusOr<NetworkConfig> ChooseConfig(Job job, const Fds& fds, size_t first_file) {
  const auto names = job.getFileNames();
  if (fds.size() != first_file + names.size()) {
    return absl::InvalidArgumentError("cni job: fds and file names do not match");
  }
  absl::Status first = absl::FailedPreconditionError("no network configuration");
  for (unsigned i = 0; i < names.size(); ++i) {
    absl::StatusOr<std::string> text = base::ReadAll(fds[first_file + i].get(), kMaxConfigBytes);
    absl::StatusOr<NetworkConfig> config =
        text.ok() ? ParseConfig(names[i].cStr(), *text) : text.status();
    if (config.ok()) return config;
    const std::string why =
        absl::StrCat("network configuration ", names[i].cStr(), ": ", config.status().message());
    base::Log(base::Severity::kWarning, "network configuration ignored", {{"why", why}});
    if (i == 0) first = absl::FailedPreconditionError(why);
  }
  return first;
}

absl::Status Load(Job job, const Fds& fds, Outcome* outcome) {
  BULKHEAD_ASSIGN_OR_RETURN(const NetworkConfig config, ChooseConfig(job, fds, 0));
  outcome->network_name = config.name;
  return absl::OkStatus();
}

// Reads what the pod needs to know out of a good result.
absl::Status TakeResult(const Record& record, Outcome* outcome) {
  BULKHEAD_ASSIGN_OR_RETURN(outcome->ips, PodAddresses(record.result));
  if (outcome->ips.empty()) {
    return absl::InternalError(
        absl::StrCat("network ", record.config.name, ": the plugins gave the pod no address"));
  }
  BULKHEAD_ASSIGN_OR_RETURN(outcome->record, EncodeRecord(record));
  return absl::OkStatus();
}

void Undo(const Record& record, PluginLink& link, Outcome* outcome) {
  outcome->ips.clear();
  outcome->record.clear();
  const absl::Status undone =
      DeleteChain(record.config, record.attempted, record.runtime_config, record.result, link);
  if (!undone.ok()) outcome->record = EncodeRecord(record).value_or("");
}

absl::Status Add(Job job, const Fds& fds, Outcome* outcome) {
  if (fds.empty()) return absl::InvalidArgumentError("cni job: add needs a socket");
  Record record;
  BULKHEAD_ASSIGN_OR_RETURN(record.config, ChooseConfig(job, fds, 1));
  BULKHEAD_ASSIGN_OR_RETURN(record.runtime_config, RuntimeConfig(job));
  outcome->network_name = record.config.name;
  PluginLink link(fds[0].get());
  Added added = AddChain(record.config, record.runtime_config, link);
  record.attempted = added.attempted;
  record.result = std::move(added.result);
  const absl::Status status = added.status.ok() ? TakeResult(record, outcome) : added.status;
  if (!status.ok()) Undo(record, link, outcome);
  return status;
}

absl::StatusOr<Record> RecordToDelete(Job job, const Fds& fds) {
  if (job.getRecord().size() > 0) {
    const auto bytes = job.getRecord().asChars();
    return DecodeRecord(absl::string_view(bytes.begin(), bytes.size()));
  }
  Record record;
  BULKHEAD_ASSIGN_OR_RETURN(record.config, ChooseConfig(job, fds, 1));
  BULKHEAD_ASSIGN_OR_RETURN(record.runtime_config, RuntimeConfig(job));
  record.attempted = record.config.plugins.size();
  return record;
}

absl::Status Delete(Job job, const Fds& fds, Outcome* outcome) {
  if (fds.empty()) return absl::InvalidArgumentError("cni job: del needs a socket");
  BULKHEAD_ASSIGN_OR_RETURN(const Record record, RecordToDelete(job, fds));
  outcome->network_name = record.config.name;
  PluginLink link(fds[0].get());
  return DeleteChain(record.config, record.attempted, record.runtime_config, record.result, link);
}

absl::Status Do(Job job, const Fds& fds, Outcome* outcome) {
  switch (job.getOperation()) {
    case Operation::LOAD:
      return Load(job, fds, outcome);
    case Operation::ADD:
      return Add(job, fds, outcome);
    case Operation::DEL:
      return Delete(job, fds, outcome);
  }
  return absl::UnimplementedError("cni job: unknown operation");
}

}  // namespace

void RunCniJob(Job job, Fds fds, schema::CniResult::Builder result) {
  Outcome outcome;
  ipc::WriteStatus(Do(job, fds, &outcome), result.initStatus());
  auto ips = result.initIps(static_cast<unsigned>(outcome.ips.size()));
  for (unsigned i = 0; i < ips.size(); ++i) ips.set(i, outcome.ips[i]);
  result.setRecord(kj::arrayPtr(reinterpret_cast<const kj::byte*>(outcome.record.data()),
                                outcome.record.size()));
  result.setNetworkName(outcome.network_name);
}

}  // namespace bulkhead::cni
