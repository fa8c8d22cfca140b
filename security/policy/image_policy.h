#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "schema/policy.capnp.h"

namespace bulkhead::security {

// What the policy says of images of one repository.
struct ImageRule {
  schema::ImagePolicy::Action action = schema::ImagePolicy::Action::DENY;
  std::string name;  // for people: "rule 2 (docker.io/**)" or "the default"
  std::vector<std::string> keys;
  std::vector<std::string> identities;  // globs; of a signed rule never empty
};

// repository: "registry/path", normalised. A policy of a kind that this program does not know
// denies.
ImageRule DecideImage(schema::ImagePolicy::Reader policy, absl::string_view repository);

}  // namespace bulkhead::security
