#include <cstdio>

#include "absl/time/clock.h"
#include "tools/client/admin.h"
#include "tools/commands/commands.h"

namespace bulkhead::tools {
namespace {

int Show(const std::string& socket) {
  absl::StatusOr<AdminNetworks> networks = AdminNetworkStatus(socket);
  if (!networks.ok()) return Fail(networks.status());
  PrintNetworks(*networks);
  return networks->ready ? 0 : kExitFailure;
}

int Check(const std::string& socket) {
  absl::StatusOr<std::vector<AdminPodNetwork>> pods = AdminCheckNetworks(socket);
  if (!pods.ok()) return Fail(pods.status());
  bool good = true;
  for (const AdminPodNetwork& pod : *pods) {
    good &= pod.status.ok();
    printf("%.12s %s/%s: %s\n", pod.pod_id.c_str(), pod.pod_namespace.c_str(), pod.pod_name.c_str(),
           pod.status.ok() ? "good" : std::string(pod.status.message()).c_str());
  }
  return good ? 0 : kExitFailure;
}

int CollectGarbage(const std::string& socket) {
  absl::Status collected = AdminCollectNetworkGarbage(socket);
  return collected.ok() ? 0 : Fail(collected);
}

}  // namespace

void PrintNetworks(const AdminNetworks& networks) {
  if (networks.network.empty()) {
    printf("network: none: %s\n", networks.reason.c_str());
  } else {
    printf("network: %s (%s)%s%s\n", networks.network.c_str(), networks.file.c_str(),
           networks.ready ? "" : ": ", networks.ready ? "" : networks.reason.c_str());
  }
  printf("pods on it: %u\nnetworks still to be undone: %u\n", networks.attachments, networks.owed);
  for (const AdminNetworks::Debt& debt : networks.debts) {
    const absl::Duration age = absl::Now() - debt.due_since;
    printf("  %.12s %s/%s on %s: for %s, %u tries failed%s%s\n", debt.pod_id.c_str(),
           debt.pod_namespace.c_str(), debt.pod_name.c_str(), debt.network.c_str(),
           absl::FormatDuration(absl::Trunc(age, absl::Seconds(1))).c_str(), debt.failures,
           debt.last_error.empty() ? "" : ": ", debt.last_error.c_str());
  }
}

int RunNetwork(Words words) {
  std::string file;
  const Option options[] = {{"config", "FILE", kConfigHelp, &file, nullptr}};
  const Usage usage = {"network [show | check | gc] [--config FILE]",
                       "show: the network of new pods, and what is still to be undone.\n"
                       "check: has the plugins check each pod's network (CNI CHECK).\n"
                       "gc: has the plugins drop what belongs to no pod (CNI GC, from 1.1 on).",
                       options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  const std::string verb = parsed.words.empty() ? "show" : std::string(parsed.words[0]);
  absl::StatusOr<Settings> settings = LoadSettings(file);
  if (!settings.ok()) return Fail(settings.status());
  const std::string socket = AdminSocket(*settings);
  if (parsed.words.size() <= 1 && verb == "show") return Show(socket);
  if (parsed.words.size() == 1 && verb == "check") return Check(socket);
  if (parsed.words.size() == 1 && verb == "gc") return CollectGarbage(socket);
  return FailUsage(usage, absl::InvalidArgumentError("network: show, check or gc"));
}

}  // namespace bulkhead::tools
