#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace bulkhead::validate {

// What image rules look at: "docker.io/library/nginx:1" is "nginx:1" and "nginx";
// "quay.io/lxc/app@sha256:..." is "quay.io/lxc/app". Empty where text is no reference (an image
// id).
std::vector<std::string> RuleNames(absl::string_view text);

// Whether a rule's pattern fits one of the names. A star does not cross a slash: "db-*" must not
// take a registry whose host begins with "db-".
bool MatchesRule(const std::string& pattern, const std::vector<std::string>& names);

}  // namespace bulkhead::validate
