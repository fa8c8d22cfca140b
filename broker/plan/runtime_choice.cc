#include "broker/plan/runtime_choice.h"

#include <capnp/message.h>
#include <fnmatch.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "schema/image.capnp.h"
#include "validate/reference.h"

namespace bulkhead::broker {
namespace {

absl::StatusOr<RuntimeChoice> Find(schema::Config::Reader node, absl::string_view name,
                                   std::string rule) {
  for (auto runtime : node.getRuntimes()) {
    if (name != runtime.getName().cStr()) continue;
    if (runtime.getType() != schema::Runtime::Type::OCI) {
      return absl::UnimplementedError(absl::StrCat("runtime ", name, " (", rule,
                                                   "): is of a type that cannot be launched yet"));
    }
    if (runtime.getVersion().size() == 0) {
      return absl::FailedPreconditionError(absl::StrCat("runtime ", name, " (", rule,
                                                        "): ", runtime.getPath().cStr(),
                                                        " is missing or does not run"));
    }
    return RuntimeChoice{std::string(name), runtime.getPath().cStr(), std::move(rule)};
  }
  return absl::InvalidArgumentError(absl::StrCat("runtime_handler: no runtime \"", name, "\""));
}

// A star does not cross a slash: "db-*" must not take a registry whose host begins with "db-".
bool Matches(schema::ImageRule::Reader rule, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&rule](const std::string& name) {
    return fnmatch(rule.getPattern().cStr(), name.c_str(), FNM_PATHNAME | FNM_NOESCAPE) == 0;
  });
}

std::string RuleText(schema::ImageRule::Reader rule) {
  const std::string text = absl::StrCat("image rule '", rule.getPattern().cStr(), "'");
  if (rule.getPreset().size() == 0) return text;
  return absl::StrCat(text, " of preset ", rule.getPreset().cStr());
}

std::vector<std::string> NamesOf(const ImageNamesForRules& image) {
  std::vector<std::string> names = RuleNames(image.user_specified);
  if (!names.empty()) return names;
  for (const std::string& tag : image.tags) {
    for (std::string& name : RuleNames(tag)) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

std::vector<std::string> RuleNames(absl::string_view text) {
  if (text.empty() || absl::StartsWith(text, "sha256:")) return {};
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<schema::ImageReference>();
  if (!validate::ParseReference("image", text, reference).ok()) return {};
  const auto parsed = reference.asReader();
  std::string name = parsed.getRepository().cStr();
  if (parsed.getRegistry() == kj::StringPtr(validate::kDefaultRegistry)) {
    name = std::string(absl::StripPrefix(name, "library/"));
  } else {
    name = absl::StrCat(parsed.getRegistry().cStr(), "/", name);
  }
  std::vector<std::string> names = {name};
  if (parsed.getTag().size() > 0) {
    names.push_back(absl::StrCat(name, ":", parsed.getTag().cStr()));
  }
  return names;
}

absl::StatusOr<RuntimeChoice> ChooseRuntime(schema::Config::Reader node, absl::string_view handler,
                                            const ImageNamesForRules& image) {
  if (!handler.empty()) return Find(node, handler, "handler");
  const std::vector<std::string> names = NamesOf(image);
  for (auto rule : node.getImageRules()) {
    if (Matches(rule, names)) return Find(node, rule.getRuntime().cStr(), RuleText(rule));
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

}  // namespace bulkhead::broker
