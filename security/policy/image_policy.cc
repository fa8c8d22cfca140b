#include "security/policy/image_policy.h"

#include "absl/strings/str_cat.h"
#include "security/policy/glob.h"

namespace bulkhead::security {
namespace {

using Action = schema::ImagePolicy::Action;

std::vector<std::string> ToVector(capnp::List<capnp::Text>::Reader list) {
  std::vector<std::string> out;
  for (capnp::Text::Reader text : list) out.emplace_back(text.cStr(), text.size());
  return out;
}

Action Known(Action action) {
  return action == Action::ALLOW || action == Action::SIGNED ? action : Action::DENY;
}

}  // namespace

ImageRule DecideImage(schema::ImagePolicy::Reader policy, absl::string_view repository) {
  ImageRule out;
  unsigned number = 0;
  for (auto rule : policy.getRules()) {
    ++number;
    absl::string_view match = rule.getMatch().cStr();
    if (!MatchesGlob(match, repository)) continue;
    out.action = Known(rule.getAction());
    out.name = absl::StrCat("rule ", number, " (", match, ")");
    out.keys = ToVector(rule.getKeys());
    out.identities = ToVector(rule.getIdentities());
    if (out.identities.empty()) out.identities.emplace_back(repository);
    return out;
  }
  // A default has no keys, so one that asks for a signature would be met by nothing.
  out.action = policy.getDefault() == Action::ALLOW ? Action::ALLOW : Action::DENY;
  out.name = "the default";
  return out;
}

}  // namespace bulkhead::security
