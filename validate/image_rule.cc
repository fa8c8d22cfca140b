#include "validate/image_rule.h"

#include <capnp/message.h>
#include <fnmatch.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "schema/image.capnp.h"
#include "validate/reference.h"

namespace bulkhead::validate {

std::vector<std::string> RuleNames(absl::string_view text) {
  if (text.empty() || absl::StartsWith(text, "sha256:")) return {};
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<schema::ImageReference>();
  if (!ParseReference("image", text, reference).ok()) return {};
  const auto parsed = reference.asReader();
  std::string name = parsed.getRepository().cStr();
  if (parsed.getRegistry() == kj::StringPtr(kDefaultRegistry)) {
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

bool MatchesRule(const std::string& pattern, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&pattern](const std::string& name) {
    return fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME | FNM_NOESCAPE) == 0;
  });
}

}  // namespace bulkhead::validate
