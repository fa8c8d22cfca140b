#include "worker/cni/job.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "ipc/status_codec.h"
#include "worker/cni/chain.h"
#include "worker/cni/result.h"
#include "worker/cni/runtime_config.h"
#include "worker/cni/version.h"

namespace bulkhead::cni {
namespace {

using Job = schema::CniJob::Reader;
using Attached = schema::NetworkAttachment::Reader;
using Operation = schema::CniJob::Operation;
using Fds = std::vector<base::UniqueFd>;
using Result = schema::CniResult::Builder;

constexpr unsigned kMaxValid = 1 << 16;

absl::string_view View(capnp::Data::Reader data) {
  return {reinterpret_cast<const char*>(data.begin()), data.size()};
}

kj::ArrayPtr<const kj::byte> Bytes(const std::string& text) {
  return kj::arrayPtr(reinterpret_cast<const kj::byte*>(text.data()), text.size());
}

// --- load ---

absl::StatusOr<NetworkConfig> ReadConfig(const char* name, int fd, PluginLink& link) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, base::ReadAll(fd, kMaxConfigBytes));
  BULKHEAD_ASSIGN_OR_RETURN(NetworkConfig config, ParseConfig(name, text));
  BULKHEAD_RETURN_IF_ERROR(CheckVersions(config, link));
  return config;
}

void WriteConfig(const NetworkConfig& config, const char* file_name, Result result) {
  result.setNetworkName(config.name);
  result.setConfiguration(Bytes(ToText(config.document)));
  result.setFileName(file_name);
  result.setHasStatus(HasStatusAndGc(config.version));
  result.setDisableCheck(config.disable_check || !HasCheck(config.version));
}

// The first file in order that is a good configuration; why each one before it is none goes to the
// log.
absl::Status Load(Job job, const Fds& fds, PluginLink& link, Result result) {
  const auto names = job.getFileNames();
  if (fds.size() != 1 + names.size()) {
    return absl::InvalidArgumentError("cni job: fds and file names do not match");
  }
  absl::Status first = absl::FailedPreconditionError("no network configuration");
  std::vector<std::string> refused;
  for (unsigned i = 0; i < names.size(); ++i) {
    const char* name = names[i].cStr();
    absl::StatusOr<NetworkConfig> config = ReadConfig(name, fds[1 + i].get(), link);
    if (config.ok()) {
      WriteConfig(*config, name, result);
      first = absl::OkStatus();
      break;
    }
    const std::string why =
        absl::StrCat("network configuration ", name, ": ", config.status().message());
    base::Log(base::Severity::kWarning, "network configuration ignored", {{"why", why}});
    if (refused.empty()) first = absl::FailedPreconditionError(why);
    refused.emplace_back(name);
  }
  auto list = result.initRefused(static_cast<unsigned>(refused.size()));
  for (unsigned i = 0; i < refused.size(); ++i) list.set(i, refused[i]);
  return first;
}

// --- add, del, check ---

struct Plan {
  NetworkConfig config;
  Json runtime_config;
  Json result;  // of an earlier add; null: none
};

absl::StatusOr<Plan> PlanFor(Attached attachment) {
  Plan plan;
  BULKHEAD_ASSIGN_OR_RETURN(plan.config, ConfigFromDocument(View(attachment.getConfiguration())));
  BULKHEAD_ASSIGN_OR_RETURN(plan.runtime_config, RuntimeConfig(attachment.getCapabilities()));
  if (attachment.getResult().size() == 0) return plan;
  BULKHEAD_ASSIGN_OR_RETURN(plan.result, worker::ParseStrictJson(View(attachment.getResult())));
  return plan;
}

absl::Status TakeResult(const NetworkConfig& config, const Json& added, Result result) {
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> ips, PodAddresses(added));
  if (ips.empty()) {
    return absl::InternalError(
        absl::StrCat("network ", config.name, ": the plugins gave the pod no address"));
  }
  auto list = result.initIps(static_cast<unsigned>(ips.size()));
  for (unsigned i = 0; i < ips.size(); ++i) list.set(i, ips[i]);
  return absl::OkStatus();
}

absl::Status Add(Job job, PluginLink& link, Result result) {
  BULKHEAD_ASSIGN_OR_RETURN(const Plan plan, PlanFor(job.getAttachment()));
  const Added added = AddChain(plan.config, plan.runtime_config, link);
  result.setAttempted(static_cast<uint16_t>(added.attempted));
  if (!added.result.is_null()) result.setResult(Bytes(ToText(added.result)));
  const absl::Status status =
      added.status.ok() ? TakeResult(plan.config, added.result, result) : added.status;
  if (status.ok()) return status;
  const absl::Status undone =
      DeleteChain(plan.config, added.attempted, plan.runtime_config, added.result, link);
  if (undone.ok()) result.setAttempted(0);
  return status;
}

absl::Status Delete(Job job, PluginLink& link) {
  BULKHEAD_ASSIGN_OR_RETURN(const Plan plan, PlanFor(job.getAttachment()));
  const size_t attempted = job.getAttachment().getAttempted();
  return DeleteChain(plan.config, std::min(attempted, plan.config.plugins.size()),
                     plan.runtime_config, plan.result, link);
}

absl::Status Check(Job job, PluginLink& link) {
  BULKHEAD_ASSIGN_OR_RETURN(const Plan plan, PlanFor(job.getAttachment()));
  if (plan.result.is_null()) return absl::FailedPreconditionError("cni job: no result to check");
  return CheckChain(plan.config, plan.runtime_config, plan.result, link);
}

// --- for no pod ---

absl::Status Collect(Job job, PluginLink& link) {
  BULKHEAD_ASSIGN_OR_RETURN(const NetworkConfig config,
                            ConfigFromDocument(View(job.getConfiguration())));
  if (job.getValid().size() > kMaxValid) return absl::InvalidArgumentError("valid: too many");
  std::vector<Attachment> valid;
  for (const auto attachment : job.getValid()) {
    valid.push_back({attachment.getPodId().cStr(), attachment.getInterface().cStr()});
  }
  return CollectGarbage(config, valid, link);
}

absl::Status Ask(Job job, PluginLink& link) {
  BULKHEAD_ASSIGN_OR_RETURN(const NetworkConfig config,
                            ConfigFromDocument(View(job.getConfiguration())));
  return StatusOfChain(config, link);
}

absl::Status Do(Job job, const Fds& fds, PluginLink& link, Result result) {
  if (fds.empty()) return absl::InvalidArgumentError("cni job: needs a socket");
  switch (job.getOperation()) {
    case Operation::LOAD:
      return Load(job, fds, link, result);
    case Operation::ADD:
      return Add(job, link, result);
    case Operation::DEL:
      return Delete(job, link);
    case Operation::CHECK:
      return Check(job, link);
    case Operation::GC:
      return Collect(job, link);
    case Operation::STATUS:
      return Ask(job, link);
  }
  return absl::UnimplementedError("cni job: unknown operation");
}

}  // namespace

void RunCniJob(Job job, Fds fds, schema::CniResult::Builder result) {
  PluginLink link(fds.empty() ? -1 : fds[0].get());
  ipc::WriteStatus(Do(job, fds, link, result), result.initStatus());
  auto steps = result.initSteps(static_cast<unsigned>(link.steps().size()));
  for (unsigned i = 0; i < steps.size(); ++i) {
    steps[i].setName(link.steps()[i].name);
    steps[i].setMicros(static_cast<uint32_t>(link.steps()[i].micros));
  }
}

}  // namespace bulkhead::cni
