#include "tools/config/pods.h"

#include <cstdint>

#include "security/policy/pod_ids.h"
#include "tools/config/keys.h"

namespace bulkhead::tools {
namespace {

// Ids from 2^31 on are where layers lie on disk.
constexpr uint32_t kMaxPodId = 0x7fffffff;
using security::kIdsOfOnePod;

constexpr Key<Settings> kCniKeys[] = {
    {"conf_dir", [](const Value& v, Settings* s) { return v.Path(&s->cni_conf_dir); }},
    {"bin_dirs", [](const Value& v, Settings* s) { return v.Paths(&s->cni_bin_dirs); }},
    {"plugin_timeout",
     [](const Value& v, Settings* s) { return v.Number(1, 120, &s->cni_plugin_timeout); }},
    {"retry_max", [](const Value& v, Settings* s) { return v.Number(1, 3600, &s->cni_retry_max); }},
    {"ips_annotation", [](const Value& v, Settings* s) { return v.Text(&s->cni_ips_annotation); }},
    {"mac_annotation", [](const Value& v, Settings* s) { return v.Text(&s->cni_mac_annotation); }},
};

constexpr Key<Settings> kUserNamespaceKeys[] = {
    {"first_id",
     [](const Value& v, Settings* s) { return v.Number(1, kMaxPodId, &s->subordinate_first); }},
    {"count", [](const Value& v,
                 Settings* s) { return v.Number(kIdsOfOnePod, kMaxPodId, &s->subordinate_count); }},
};

}  // namespace

absl::Status ApplyCni(const Value& value, Settings* settings) {
  return ApplyTable<Settings>(value, kCniKeys, settings);
}

absl::Status ApplyUserNamespaces(const Value& value, Settings* settings) {
  return ApplyTable<Settings>(value, kUserNamespaceKeys, settings);
}

absl::Status CheckUserNamespaces(const Settings& settings) {
  if ((settings.subordinate_first == 0) != (settings.subordinate_count == 0)) {
    return absl::InvalidArgumentError("user_namespaces: first_id and count go together");
  }
  if (uint64_t{settings.subordinate_first} + settings.subordinate_count > kMaxPodId) {
    return absl::InvalidArgumentError("user_namespaces: ids from 2^31 on are taken by layers");
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::tools
