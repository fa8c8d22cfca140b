#include <nlohmann/json.hpp>

#include "tools/host/host.h"

namespace bulkhead::tools {
namespace {

using nlohmann::json;

// The member at the end of this path of names; null where there is none.
json At(const json& object, std::initializer_list<const char*> names) {
  json at = object;
  for (const char* name : names) {
    const auto* members = at.get_ptr<const json::object_t*>();
    if (members == nullptr) return json();
    auto found = members->find(name);
    if (found == members->end()) return json();
    json next = found->second;
    at = std::move(next);
  }
  return at;
}

}  // namespace

RuntimeFeatures ParseFeatures(absl::string_view text) {
  RuntimeFeatures features;
  json document = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  const json version = At(document, {"ociVersionMax"});
  if (!version.is_string()) return features;
  features.known = true;
  features.oci_version_max = *version.get_ptr<const std::string*>();
  const json idmap = At(document, {"linux", "mountExtensions", "idmap", "enabled"});
  features.idmap_mounts = idmap.is_boolean() && *idmap.get_ptr<const bool*>();
  const json flags = At(document, {"linux", "seccomp", "supportedFlags"});
  if (!flags.is_array()) return features;
  for (const json& flag : *flags.get_ptr<const json::array_t*>()) {
    if (flag.is_string()) features.seccomp_flags.push_back(*flag.get_ptr<const std::string*>());
  }
  return features;
}

}  // namespace bulkhead::tools
