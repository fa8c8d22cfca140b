#include "tools/client/admin.h"
#include "tools/commands/commands.h"
#include "tools/config/settings.h"

namespace bulkhead::tools {

int RunStop(Words words) {
  std::string file;
  bool all = false;
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &file, nullptr},
      {"all", nullptr, "every pod: there is no other choice, so say it", nullptr, &all},
  };
  const Usage usage = {
      "stop --all [--config FILE]",
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
  const absl::Status stopped = AdminStopAll(AdminSocket(*settings));
  return stopped.ok() ? 0 : Fail(stopped);
}

}  // namespace bulkhead::tools
