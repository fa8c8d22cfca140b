#include "worker/cni/chain.h"

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "worker/cni/result.h"
#include "worker/cni/version.h"

namespace bulkhead::cni {
namespace {

using Command = schema::NetworkRequest::Command;

// The plugin's output where it succeeded.
absl::StatusOr<std::string> Succeed(const std::string& type, Command command, const Json& input,
                                    PluginLink& link) {
  BULKHEAD_ASSIGN_OR_RETURN(PluginOutput output, link.Run(type, command, ToText(input)));
  if (output.exit_code != 0) return ParseError(output.text, output.exit_code);
  return std::move(output.text);
}

absl::StatusOr<Json> AddOne(const NetworkConfig& config, size_t plugin, const Json& runtime_config,
                            const Json& previous, PluginLink& link) {
  const Json input = PluginInput(config, plugin, runtime_config, previous);
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text,
                            Succeed(PluginType(config, plugin), Command::ADD, input, link));
  return ParseResult(text, config.version);
}

std::string What(const NetworkConfig& config, size_t plugin, const char* command) {
  return absl::StrCat("network ", config.name, ": ", PluginType(config, plugin), " ", command);
}

// The network worker found no such plugin, or none that it may run. No error of a plugin has these
// codes.
bool NeverRan(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsPermissionDenied(status);
}

}  // namespace

Added AddChain(const NetworkConfig& config, const Json& runtime_config, PluginLink& link) {
  Added added;
  for (size_t i = 0; i < config.plugins.size(); ++i) {
    ++added.attempted;
    absl::StatusOr<Json> result = AddOne(config, i, runtime_config, added.result, link);
    if (!result.ok()) {
      if (NeverRan(result.status())) --added.attempted;
      added.status = base::Annotate(result.status(), What(config, i, "ADD"));
      return added;
    }
    added.result = *std::move(result);
  }
  return added;
}

absl::Status DeleteChain(const NetworkConfig& config, size_t count, const Json& runtime_config,
                         const Json& result, PluginLink& link) {
  const Json previous = DelTakesPreviousResult(config.version) ? result : Json();
  absl::Status first;
  for (size_t i = count; i-- > 0;) {
    const Json input = PluginInput(config, i, runtime_config, previous);
    const absl::Status status = base::Annotate(
        Succeed(PluginType(config, i), Command::DEL, input, link).status(), What(config, i, "DEL"));
    if (status.ok()) continue;
    base::Log(base::Severity::kWarning, "plugin failed", {{"why", status.message()}});
    if (first.ok()) first = status;
  }
  return first;
}

absl::Status CheckChain(const NetworkConfig& config, const Json& runtime_config, const Json& result,
                        PluginLink& link) {
  if (config.disable_check || !HasCheck(config.version)) return absl::OkStatus();
  for (size_t i = 0; i < config.plugins.size(); ++i) {
    const Json input = PluginInput(config, i, runtime_config, result);
    BULKHEAD_RETURN_IF_ERROR(
        base::Annotate(Succeed(PluginType(config, i), Command::CHECK, input, link).status(),
                       What(config, i, "CHECK")));
  }
  return absl::OkStatus();
}

absl::Status CheckVersions(const NetworkConfig& config, PluginLink& link) {
  const Json input = {{"cniVersion", config.version}};
  for (size_t i = 0; i < config.plugins.size(); ++i) {
    absl::StatusOr<std::string> text =
        Succeed(PluginType(config, i), Command::VERSION, input, link);
    absl::Status status = text.ok() ? CheckSpeaks(*text, config.version) : std::move(text).status();
    if (status.ok()) continue;
    // Whatever went wrong, it is the node that has to change.
    status = base::Annotate(status, What(config, i, "VERSION"));
    return absl::FailedPreconditionError(status.message());
  }
  return absl::OkStatus();
}

absl::Status StatusOfChain(const NetworkConfig& config, PluginLink& link) {
  if (!HasStatusAndGc(config.version)) return absl::OkStatus();
  for (size_t i = 0; i < config.plugins.size(); ++i) {
    const Json input = PluginInput(config, i, Json(), Json());
    BULKHEAD_RETURN_IF_ERROR(
        base::Annotate(Succeed(PluginType(config, i), Command::STATUS, input, link).status(),
                       What(config, i, "STATUS")));
  }
  return absl::OkStatus();
}

absl::Status CollectGarbage(const NetworkConfig& config, const std::vector<Attachment>& valid,
                            PluginLink& link) {
  if (config.disable_gc || !HasStatusAndGc(config.version)) return absl::OkStatus();
  Json attachments = Json::array();
  for (const Attachment& attachment : valid) {
    attachments.push_back(
        {{"containerID", attachment.container_id}, {"ifname", attachment.interface}});
  }
  absl::Status first;
  for (size_t i = 0; i < config.plugins.size(); ++i) {
    Json input = PluginInput(config, i, Json(), Json());
    input["cni.dev/valid-attachments"] = attachments;
    // What the key was called in the first libraries that had GC.
    input["cni.dev/attachments"] = attachments;
    const absl::Status status = base::Annotate(
        Succeed(PluginType(config, i), Command::GC, input, link).status(), What(config, i, "GC"));
    if (first.ok()) first = status;
  }
  return first;
}

}  // namespace bulkhead::cni
