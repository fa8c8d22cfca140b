#include <cstdio>

#include "tools/client/admin.h"
#include "tools/client/cri.h"
#include "tools/client/pull_progress.h"
#include "tools/commands/commands.h"

namespace bulkhead::tools {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);

int PrintConditions(CriClient& client) {
  absl::StatusOr<cri::StatusResponse> status =
      client.Call(&CriClient::Runtime::Status, cri::StatusRequest(), kPatience);
  if (!status.ok()) return Fail(status.status());
  bool ready = true;
  for (const cri::RuntimeCondition& condition : status->status().conditions()) {
    printf("%s: %s%s%s\n", condition.type().c_str(), condition.status() ? "yes" : "no",
           condition.message().empty() ? "" : ": ", condition.message().c_str());
    // Pods on the host's network can do without the other condition.
    if (condition.type() == "RuntimeReady") ready = condition.status();
  }
  return ready ? 0 : kExitFailure;
}

}  // namespace

int RunStatus(Words words) {
  std::string file;
  const Option options[] = {{"config", "FILE", kConfigHelp, &file, nullptr}};
  const Usage usage = {"status [--config FILE]",
                       "Asks the running runtime. Exit code 0: it can run pods.", options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  absl::StatusOr<Settings> settings = LoadSettings(file);
  if (!settings.ok()) return Fail(settings.status());

  CriClient client(CriSocket(*settings));
  absl::StatusOr<cri::VersionResponse> version =
      client.Call(&CriClient::Runtime::Version, cri::VersionRequest(), kPatience);
  if (!version.ok()) return Fail(version.status());
  printf("%s %s, CRI %s, %s\n", version->runtime_name().c_str(), version->runtime_version().c_str(),
         version->runtime_api_version().c_str(), CriSocket(*settings).c_str());
  int code = PrintConditions(client);
  absl::StatusOr<AdminCounts> counts = AdminStatus(AdminSocket(*settings));
  if (!counts.ok()) return Fail(counts.status());
  printf("pods: %u (%u ready)\ncontainers: %u (%u running)\nimages: %u\n", counts->pods,
         counts->ready_pods, counts->containers, counts->running_containers, counts->images);
  printf("workers: %u, and %zu that stand by\noperations: %u\n", counts->workers,
         counts->spares.size(), counts->operations);
  absl::StatusOr<std::vector<AdminPull>> pulls = AdminPulls(AdminSocket(*settings));
  if (!pulls.ok()) return Fail(pulls.status());
  printf("pulls: %zu\n", pulls->size());
  for (const AdminPull& pull : *pulls) printf("  %s\n", PullSummary(pull).c_str());
  absl::StatusOr<AdminNetworks> networks = AdminNetworkStatus(AdminSocket(*settings));
  if (!networks.ok()) return Fail(networks.status());
  PrintNetworks(*networks);
  return code;
}

}  // namespace bulkhead::tools
