#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tools/client/admin.h"
#include "tools/client/cri.h"
#include "tools/commands/commands.h"
#include "tools/config/settings.h"

namespace bulkhead::tools {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

absl::Status RemoveAllPods(const Settings& settings) {
  CriClient client(CriSocket(settings));
  BULKHEAD_ASSIGN_OR_RETURN(
      cri::ListPodSandboxResponse pods,
      client.Call(&CriClient::Runtime::ListPodSandbox, cri::ListPodSandboxRequest(), kPatience));
  absl::Status first;
  for (const cri::PodSandbox& pod : pods.items()) {
    cri::RemovePodSandboxRequest request;
    request.set_pod_sandbox_id(pod.id());
    const absl::Status removed =
        client.Call(&CriClient::Runtime::RemovePodSandbox, request, kPatience).status();
    if (first.ok() && !removed.ok())
      first = base::Annotate(removed, absl::StrCat("pod ", pod.id()));
  }
  return first;
}

}  // namespace

int RunStop(Words words) {
  std::string file;
  bool all = false;
  bool remove = false;
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &file, nullptr},
      {"all", nullptr, "every pod: there is no other choice, so say it", nullptr, &all},
      {"remove", nullptr, "remove them as well, and what the node has of them", nullptr, &remove},
  };
  const Usage usage = {
      "stop --all [--remove] [--config FILE]",
      "Stops all pods of this node, for example before the runtime is removed from it.\n"
      "A kubelet that still runs starts its pods again.",
      options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  if (!all || !parsed.words.empty()) {
    return FailUsage(usage, absl::InvalidArgumentError("stop: wants --all and nothing else"));
  }
  absl::StatusOr<Settings> settings = LoadSettings(file);
  if (!settings.ok()) return Fail(settings.status());
  absl::Status stopped = AdminStopAll(AdminSocket(*settings));
  if (stopped.ok() && remove) stopped = RemoveAllPods(*settings);
  return stopped.ok() ? 0 : Fail(stopped);
}

}  // namespace bulkhead::tools
