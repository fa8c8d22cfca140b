#include <cstdio>

#include "absl/strings/str_cat.h"
#include "tools/commands/commands.h"

namespace bulkhead::tools {

int Fail(const absl::Status& status) {
  std::string message(status.message());
  fprintf(stderr, "bulkhead: %s\n", message.empty() ? status.ToString().c_str() : message.c_str());
  return kExitFailure;
}

int FailUsage(const Usage& usage, const absl::Status& status) {
  Fail(status);
  fprintf(stderr, "usage: bulkhead %s (--help says more)\n", usage.synopsis);
  return kExitUsage;
}

std::optional<int> ParseOrExit(const Usage& usage, Words words, Parsed* parsed) {
  absl::StatusOr<Parsed> result = ParseArguments(usage, words);
  if (!result.ok()) return FailUsage(usage, result.status());
  if (result->help) {
    fputs(HelpText(usage).c_str(), stdout);
    return 0;
  }
  *parsed = *std::move(result);
  return std::nullopt;
}

std::string CriSocket(const Settings& settings) {
  return absl::StrCat(settings.run_dir, "/cri.sock");
}

std::string AdminSocket(const Settings& settings) {
  return absl::StrCat(settings.run_dir, "/admin.sock");
}

}  // namespace bulkhead::tools
