#include "broker/plan/runtime_choice.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "validate/image_rule.h"

namespace bulkhead::broker {
namespace {

absl::StatusOr<RuntimeChoice> Find(schema::Config::Reader node, absl::string_view name,
                                   std::string rule) {
  for (auto runtime : node.getRuntimes()) {
    if (name != runtime.getName().cStr()) continue;
    const bool lxc = runtime.getType() == schema::Runtime::Type::LXC;
    if (runtime.getType() != schema::Runtime::Type::OCI && !lxc) {
      return absl::UnimplementedError(absl::StrCat("runtime ", name, " (", rule,
                                                   "): is of a type that cannot be launched yet"));
    }
    if (runtime.getVersion().size() == 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("runtime ", name, " (", rule, "): ", runtime.getPath().cStr(),
                       " is missing or does not run", lxc ? "; it needs liblxc1" : ""));
    }
    return RuntimeChoice{.name = std::string(name),
                         .path = runtime.getPath().cStr(),
                         .rule = std::move(rule),
                         .lxc = lxc,
                         .needs_user_namespace = lxc && !runtime.getUserNamespaceOptional()};
  }
  return absl::InvalidArgumentError(absl::StrCat("runtime_handler: no runtime \"", name, "\""));
}

std::string RuleText(schema::ImageRule::Reader rule) {
  const std::string text = absl::StrCat("image rule '", rule.getPattern().cStr(), "'");
  if (rule.getPreset().size() == 0) return text;
  return absl::StrCat(text, " of preset ", rule.getPreset().cStr());
}

std::vector<std::string> NamesOf(const ImageNamesForRules& image) {
  std::vector<std::string> names = validate::RuleNames(image.user_specified);
  if (!names.empty()) return names;
  for (const std::string& tag : image.tags) {
    for (std::string& name : validate::RuleNames(tag)) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

absl::StatusOr<RuntimeChoice> ChooseRuntime(schema::Config::Reader node, absl::string_view handler,
                                            const ImageNamesForRules& image) {
  if (!handler.empty()) return Find(node, handler, "handler");
  const std::vector<std::string> names = NamesOf(image);
  for (auto rule : node.getImageRules()) {
    if (validate::MatchesRule(rule.getPattern().cStr(), names))
      return Find(node, rule.getRuntime().cStr(), RuleText(rule));
  }
  return Find(node, node.getDefaultRuntime().cStr(), "default");
}

absl::Status CheckRuntimeKnows(schema::Config::Reader node, absl::string_view runtime,
                               schema::SeccompFilter::Reader filter) {
  for (auto known : node.getRuntimes()) {
    if (runtime != known.getName().cStr() || !known.getFeatures().getKnown()) continue;
    const auto flags = known.getFeatures().getSeccompFlags();
    for (auto flag : filter.getFlags()) {
      bool found = false;
      for (auto one : flags) found = found || one == flag;
      if (found) continue;
      return absl::FailedPreconditionError(
          absl::StrCat("config.linux.security_context.seccomp.localhost_ref: runtime ", runtime,
                       " does not know ", flag.cStr()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHandler(schema::Config::Reader node, absl::string_view handler) {
  return ChooseRuntime(node, handler, {}).status();
}

bool HandlerNeedsUserNamespace(schema::Config::Reader node, absl::string_view handler) {
  if (handler.empty()) return false;
  const absl::StatusOr<RuntimeChoice> choice = ChooseRuntime(node, handler, {});
  return choice.ok() && choice->needs_user_namespace;
}

absl::Status CheckUserNamespace(const RuntimeChoice& choice, schema::Pod::Reader pod) {
  if (!choice.needs_user_namespace || pod.getIdMapping().getLength() > 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "runtime ", choice.name, " (", choice.rule,
      ") needs a pod with a user namespace: one of this handler, or one that asks for it"));
}

}  // namespace bulkhead::broker
