#include <limits.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tools/config/owned_file.h"
#include "tools/config/pod_policy.h"
#include "tools/config/settings.h"

namespace bulkhead::tools {
namespace {

absl::Status ApplyFile(const std::string& file, Settings* settings) {
  BULKHEAD_ASSIGN_OR_RETURN(std::string text, ReadOwnedFile(file, kMaxConfigFileBytes));
  return ApplyToml(text, file, settings);
}

// Only the default policy may be missing: one that was named and is gone must not mean "all is
// allowed".
absl::Status ApplyPolicy(Settings* settings) {
  settings->pod_policies = DefaultPodPolicies();
  bool named = !settings->policy_file.empty();
  std::string file = named ? settings->policy_file : kDefaultPolicyFile;
  absl::StatusOr<std::string> text = ReadOwnedFile(file, kMaxConfigFileBytes);
  if (!named && absl::IsNotFound(text.status())) return absl::OkStatus();
  if (!text.ok()) return text.status();
  BULKHEAD_RETURN_IF_ERROR(ApplyPolicyToml(*text, file, settings));
  settings->pod_policies.hash = PolicyHash(*text);
  for (TrustRuleSettings& rule : settings->image_policy.rules) {
    for (const std::string& key : rule.key_files) {
      BULKHEAD_ASSIGN_OR_RETURN(rule.keys.emplace_back(), ReadOwnedFile(key, kMaxConfigFileBytes));
    }
  }
  return base::Annotate(CheckImagePolicy(settings->image_policy), file);
}

// The program for containers of type lxc lies beside this one.
absl::Status FindOwnRuntimes(Settings* settings) {
  char self[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", self, sizeof(self));
  if (size <= 0 || size == sizeof(self)) return base::ErrnoStatus("read /proc/self/exe");
  const std::string program(self, static_cast<size_t>(size));
  for (auto& [name, runtime] : settings->runtimes) {
    if (runtime.type != "lxc") continue;
    runtime.path = absl::StrCat(program.substr(0, program.rfind('/')), "/bulkhead-worker-lxc");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Settings> LoadSettings(const std::string& file) {
  Settings settings;
  std::string main = file.empty() ? kDefaultConfigFile : file;
  absl::Status status = ApplyFile(main, &settings);
  bool may_be_missing = file.empty();
  if (!status.ok() && !(may_be_missing && absl::IsNotFound(status))) return status;
  std::string directory = absl::StrCat(main, ".d");
  absl::StatusOr<std::vector<std::string>> names = NamesIn(directory, ".toml");
  if (!names.ok() && !absl::IsNotFound(names.status())) return names.status();
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    BULKHEAD_RETURN_IF_ERROR(ApplyFile(absl::StrCat(directory, "/", name), &settings));
  }
  BULKHEAD_RETURN_IF_ERROR(ApplyPolicy(&settings));
  BULKHEAD_RETURN_IF_ERROR(base::Annotate(CheckSettings(settings), main));
  BULKHEAD_RETURN_IF_ERROR(FindOwnRuntimes(&settings));
  return settings;
}

}  // namespace bulkhead::tools
