#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tools/args.h"
#include "tools/client/admin.h"
#include "tools/config/settings.h"

// The subcommands. Each takes the words behind its name and returns the exit code.
namespace bulkhead::tools {

using Words = absl::Span<char* const>;

int RunUp(Words words);
int RunRun(Words words);
int RunImage(Words words);
int RunMetrics(Words words);
int RunNetwork(Words words);
int RunStatus(Words words);
int RunStop(Words words);
int RunAudit(Words words);
int RunCheck(Words words);
int RunTrace(Words words);
int RunPrivileges(Words words);
int RunConfig(Words words);
int RunPolicy(Words words);

// bulkhead image pull. A password is never an argument, which everybody on the node could read.
struct PullOptions {
  bool progress = false;
  std::string username;
  bool password_stdin = false;
};
int RunImagePull(const Settings& settings, const std::string& name, const PullOptions& options);

// The network, how many pods are on it, and what is owed to it.
void PrintNetworks(const AdminNetworks& networks);

inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

// Prints "bulkhead: message" to standard error.
int Fail(const absl::Status& status);
int FailUsage(const Usage& usage, const absl::Status& status);

// Parses, and deals with --help and mistakes: an exit code then, else nothing and parsed is filled
// in.
std::optional<int> ParseOrExit(const Usage& usage, Words words, Parsed* parsed);

inline constexpr char kConfigHelp[] = "configuration file (default /etc/bulkhead/config.toml)";

std::string CriSocket(const Settings& settings);
std::string AdminSocket(const Settings& settings);

}  // namespace bulkhead::tools
