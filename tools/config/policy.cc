#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "security/policy/public_key.h"
#include "tools/config/keys.h"
#include "tools/config/pod_policy.h"
#include "tools/config/settings.h"

namespace bulkhead::tools {
namespace {

constexpr size_t kMaxRules = 256;
constexpr size_t kMaxKeys = 16;  // of one rule: each is tried on each signature

absl::Status ApplyAction(const Value& value, std::string* action) {
  BULKHEAD_RETURN_IF_ERROR(value.Text(action));
  if (*action == "allow" || *action == "deny" || *action == "signed") return absl::OkStatus();
  return value.Error("must be \"allow\", \"deny\" or \"signed\"");
}

constexpr Key<TrustRuleSettings> kRuleKeys[] = {
    {"match", [](const Value& v, TrustRuleSettings* r) { return v.Glob(&r->match); }},
    {"action", [](const Value& v, TrustRuleSettings* r) { return ApplyAction(v, &r->action); }},
    {"keys", [](const Value& v, TrustRuleSettings* r) { return v.Paths(&r->key_files); }},
    {"identities", [](const Value& v, TrustRuleSettings* r) { return v.Globs(&r->identities); }},
};

absl::Status ApplyRules(const Value& value, ImagePolicySettings* policy) {
  policy->rules.clear();
  return value.EachElement([policy](absl::string_view, const Value& element) -> absl::Status {
    if (policy->rules.size() == kMaxRules) return element.Error("more than 256 rules");
    TrustRuleSettings* rule = &policy->rules.emplace_back();
    BULKHEAD_RETURN_IF_ERROR(ApplyTable<TrustRuleSettings>(element, kRuleKeys, rule));
    if (rule->match.empty()) return element.Error("has no match");
    if (rule->action.empty()) return element.Error("has no action");
    bool needs_keys = rule->action == "signed";
    if (needs_keys && rule->key_files.empty()) return element.Error("signed by whom? has no keys");
    if (!needs_keys && !(rule->key_files.empty() && rule->identities.empty())) {
      return element.Error("keys and identities are for the action \"signed\"");
    }
    if (rule->key_files.size() > kMaxKeys) return element.Error("more than 16 keys");
    return absl::OkStatus();
  });
}

absl::Status ApplyDefault(const Value& value, ImagePolicySettings* policy) {
  BULKHEAD_RETURN_IF_ERROR(ApplyAction(value, &policy->default_action));
  if (policy->default_action != "signed") return absl::OkStatus();
  return value.Error("must be \"allow\" or \"deny\"; for signatures write a rule for \"**\"");
}

constexpr Key<ImagePolicySettings> kImageKeys[] = {
    {"default", ApplyDefault},
    {"rules", ApplyRules},
};

constexpr Key<Settings> kPolicyKeys[] = {
    {"images",
     [](const Value& v, Settings* s) {
       return ApplyTable<ImagePolicySettings>(v, kImageKeys, &s->image_policy);
     }},
    {"pods", [](const Value& v, Settings* s) { return ApplyPods(v, &s->pod_policies); }},
};

}  // namespace

absl::Status ApplyPolicyToml(absl::string_view text, const std::string& file, Settings* settings) {
  toml::parse_result parsed = toml::parse(std::string_view(text.data(), text.size()));
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return absl::InvalidArgumentError(
        absl::StrCat(file, ":", error.source().begin.line, ": ", std::string(error.description())));
  }
  return ApplyTable<Settings>(Value(parsed.table(), file, ""), kPolicyKeys, settings);
}

absl::Status CheckImagePolicy(const ImagePolicySettings& policy) {
  for (const TrustRuleSettings& rule : policy.rules) {
    for (size_t i = 0; i < rule.keys.size(); ++i) {
      absl::Status good = security::PublicKey::Parse(rule.keys[i]).status();
      if (!good.ok()) return base::Annotate(good, rule.key_files[i]);
    }
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::tools
