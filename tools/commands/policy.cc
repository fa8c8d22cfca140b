#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "security/profile.h"
#include "tools/commands/commands.h"
#include "tools/config/pod_policy.h"
#include "tools/explain/manifest.h"
#include "tools/explain/verdict.h"

namespace bulkhead::tools {
namespace {

constexpr int kAllowed = 0;
constexpr int kRefused = 1;
constexpr int kBadFile = 2;
constexpr char kStandardInput[] = "-";

struct Explain {
  std::string file;
  std::string kubernetes_namespace;  // empty: the manifest's
  bool seccomp_default = false;
};

// What is read from here on was written by others: not as root.
absl::Status BecomeParser() {
  if (geteuid() != 0) return absl::OkStatus();
  if (setgroups(0, nullptr) != 0 || setgid(security::kParseUid) != 0 ||
      setuid(security::kParseUid) != 0) {
    return base::ErrnoStatus("give up root");
  }
  return absl::OkStatus();
}

absl::StatusOr<base::UniqueFd> Open(const std::string& file) {
  if (file == kStandardInput) return base::Duplicate(STDIN_FILENO);
  return base::OpenAt(AT_FDCWD, file, O_RDONLY, base::Resolve::kHost);
}

// The caller's file is opened with the caller's rights, and read with none.
absl::StatusOr<PodWish> ReadWish(const Explain& explain) {
  BULKHEAD_ASSIGN_OR_RETURN(const base::UniqueFd fd, Open(explain.file));
  BULKHEAD_RETURN_IF_ERROR(BecomeParser());
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, base::ReadAll(fd.get(), kMaxManifestBytes));
  return ReadManifest(text, {.seccomp_default = explain.seccomp_default});
}

std::string NamespaceOf(const Explain& explain, const PodWish& wish) {
  if (!explain.kubernetes_namespace.empty()) return explain.kubernetes_namespace;
  return wish.kubernetes_namespace.empty() ? "default" : wish.kubernetes_namespace;
}

int RunExplain(const Settings& settings, const Explain& explain) {
  const absl::StatusOr<PodWish> wish = ReadWish(explain);
  if (!wish.ok()) {
    Fail(base::Annotate(wish.status(), explain.file));
    return kBadFile;
  }
  const std::vector<std::string> refusals =
      ExplainPod(settings.pod_policies, NamespaceOf(explain, *wish), *wish);
  for (const std::string& line : refusals) printf("refused: %s\n", line.c_str());
  for (const std::string& line : wish->unknown) printf("not known here: %s\n", line.c_str());
  if (refusals.empty()) puts("allowed");
  return refusals.empty() ? kAllowed : kRefused;
}

}  // namespace

int RunPolicy(Words words) {
  std::string config;
  Explain explain;
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &config, nullptr},
      {"namespace", "NAME", "Kubernetes namespace (default: the manifest's)",
       &explain.kubernetes_namespace, nullptr},
      {"seccomp-default", nullptr, "kubelet has seccompDefault set", nullptr,
       &explain.seccomp_default},
  };
  const Usage usage = {
      "policy show | explain FILE [--namespace NAME] [--seccomp-default] [--config FILE]",
      "show prints what pods may ask for on this node, each key with its value, and the\n"
      "hash that the audit log has. explain reads a Pod manifest in JSON (- is standard\n"
      "input) and says what of it would be refused, and by which key. Exit code of\n"
      "explain: 0 allowed, 1 refused, 2 not a manifest.",
      options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  const bool shows = parsed.words == std::vector<std::string>{"show"};
  const bool explains = parsed.words.size() == 2 && parsed.words[0] == "explain";
  if (!shows && !explains) {
    return FailUsage(usage, absl::InvalidArgumentError("policy: show, or explain and one file"));
  }
  const absl::StatusOr<Settings> settings = LoadSettings(config);
  if (!settings.ok()) {
    Fail(settings.status());
    return explains ? kBadFile : kExitFailure;
  }
  if (shows) {
    fputs(PodPolicyText(settings->pod_policies).c_str(), stdout);
    return 0;
  }
  explain.file = parsed.words[1];
  return RunExplain(*settings, explain);
}

}  // namespace bulkhead::tools
