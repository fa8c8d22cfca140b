#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/erofs_probe.h"
#include "base/ids.h"
#include "tools/commands/commands.h"
#include "tools/config/encode_registries.h"
#include "tools/host/host.h"
#include "validate/image_rule.h"

namespace bulkhead::tools {
namespace {

const char* ModeName(base::CgroupMode mode) {
  switch (mode) {
    case base::CgroupMode::kV1:
      return "v1";
    case base::CgroupMode::kHybrid:
      return "v1 (hybrid)";
    case base::CgroupMode::kV2:
      return "v2";
  }
  return "unknown";
}

void PrintRuntimes(const Settings& settings) {
  for (const auto& [name, runtime] : settings.runtimes) {
    absl::StatusOr<std::string> version = RuntimeVersion(runtime.path);
    printf("runtime %s: %s: %s\n", name.c_str(), runtime.path.c_str(),
           version.ok() ? version->c_str() : std::string(version.status().message()).c_str());
    if (!version.ok()) continue;
    if (runtime.type == "lxc") {
      printf("  containers need a user namespace: %s\n",
             runtime.user_namespace_optional ? "no" : "yes; pods with this handler get one");
      continue;
    }
    const RuntimeFeatures features = AskFeatures(runtime.path);
    printf("  OCI runtime-spec: %s\n",
           features.known ? absl::StrCat("up to ", features.oci_version_max).c_str()
                          : "does not say (no `features` command); 1.0.2 is used");
    for (const std::string& hole : KnownHoles(*version)) {
      printf("  warning: known hole %s\n", hole.c_str());
    }
  }
}

void PrintImageRules(const Settings& settings) {
  for (const ImageRuleSettings& rule : AllImageRules(settings)) {
    printf("image rule '%s': runtime %s%s%s\n", rule.pattern.c_str(), rule.runtime.c_str(),
           rule.preset.empty() ? "" : ", of preset ", rule.preset.c_str());
  }
  printf("other images: runtime %s\n", settings.default_runtime.c_str());
}

// What a pod's container of this image would run in, and why.
absl::Status PrintChoice(const Settings& settings, const std::string& handler,
                         const std::string& image) {
  std::string runtime = settings.default_runtime, why = "default_runtime";
  if (!handler.empty()) {
    runtime = handler;
    why = "the pod's handler";
  } else {
    const std::vector<std::string> names = validate::RuleNames(image);
    if (!image.empty() && names.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("--image ", image, ": not an image name"));
    }
    for (const ImageRuleSettings& rule : AllImageRules(settings)) {
      if (!validate::MatchesRule(rule.pattern, names)) continue;
      runtime = rule.runtime;
      why = absl::StrCat("image rule '", rule.pattern, "'",
                         rule.preset.empty() ? "" : absl::StrCat(" of preset ", rule.preset));
      break;
    }
  }
  const auto found = settings.runtimes.find(runtime);
  if (found == settings.runtimes.end()) {
    return absl::InvalidArgumentError(absl::StrCat("--handler ", handler, ": no such runtime"));
  }
  const bool there = RuntimeVersion(found->second.path).ok();
  printf("choice: runtime %s (type %s), by %s%s\n", runtime.c_str(), found->second.type.c_str(),
         why.c_str(), there ? "" : "; it is not available: FAILED_PRECONDITION");
  return absl::OkStatus();
}

}  // namespace

int RunConfig(Words words) {
  std::string file, handler, image;
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &file, nullptr},
      {"image", "NAME", "say which runtime a container of this image gets, and why", &image,
       nullptr},
      {"handler", "NAME", "the same for a pod with this runtime handler", &handler, nullptr}};
  const Usage usage = {"config check [--config FILE] [--image NAME] [--handler NAME]",
                       "Reads the configuration, says what is wrong with it, and looks at the host "
                       "and its runtimes.",
                       options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  if (parsed.words != std::vector<std::string>{"check"}) {
    return FailUsage(usage, absl::InvalidArgumentError("config: the only subcommand is check"));
  }
  absl::StatusOr<Settings> settings = LoadSettings(file);
  if (!settings.ok()) return Fail(settings.status());
  absl::StatusOr<Host> host = DetectHost(settings->cgroup_driver);
  if (!host.ok()) return Fail(host.status());
  printf("root_dir %s\nrun_dir %s\n", settings->root_dir.c_str(), settings->run_dir.c_str());
  printf("kernel %s, cgroup %s, driver %s\n", host->kernel.c_str(), ModeName(host->cgroup_mode),
         host->systemd_driver ? "systemd" : "cgroupfs");
  const absl::Status images = base::ProbeErofs((settings->root_dir + "/layers").c_str());
  printf("layers %s; EROFS images: %s\n", settings->layers.driver.c_str(),
         images.ok() ? "work here" : std::string(images.message()).c_str());
  printf("pods: profile %s, policy sha256 %s\n", settings->pod_policies.node.profile.c_str(),
         base::ToHex(settings->pod_policies.hash).c_str());
  PrintRuntimes(*settings);
  PrintImageRules(*settings);
  if (!image.empty() || !handler.empty()) {
    if (absl::Status chosen = PrintChoice(*settings, handler, image); !chosen.ok()) {
      return Fail(chosen);
    }
  }
  absl::Status registries = RegistriesMemfd(*settings).status();
  if (!registries.ok()) return Fail(registries);
  puts("configuration is valid");
  return 0;
}

}  // namespace bulkhead::tools
