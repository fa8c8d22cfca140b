#include "absl/strings/str_cat.h"
#include "tools/config/settings.h"

namespace bulkhead::tools {
namespace {

// Images that are whole machines rather than one program, by the names that people give them.
constexpr char kLxc[] = "lxc";
constexpr const char* kLxcPatterns[] = {"lxc/*", "*/lxc/*", "db-*", "vm-*"};

}  // namespace

std::vector<ImageRuleSettings> ImageRulePreset(absl::string_view name) {
  std::vector<ImageRuleSettings> rules;
  if (name != kLxc) return rules;
  for (const char* pattern : kLxcPatterns) rules.push_back({pattern, kLxc, kLxc});
  return rules;
}

std::vector<ImageRuleSettings> AllImageRules(const Settings& settings) {
  std::vector<ImageRuleSettings> rules = settings.image_rules;
  for (const std::string& preset : settings.image_rule_presets) {
    for (ImageRuleSettings& rule : ImageRulePreset(preset)) rules.push_back(std::move(rule));
  }
  return rules;
}

absl::Status CheckImageRules(const Settings& settings) {
  for (const ImageRuleSettings& rule : AllImageRules(settings)) {
    if (settings.runtimes.count(rule.runtime) > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(rule.preset.empty() ? "image_rules" : "image_rule_presets", ": '",
                     rule.pattern, "': no runtime is named '", rule.runtime, "'"));
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::tools
