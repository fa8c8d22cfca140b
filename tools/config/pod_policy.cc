#include "tools/config/pod_policy.h"

#include <openssl/sha.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "tools/config/keys.h"

namespace bulkhead::tools {
namespace {

using security::PathRule;
using security::PodPolicies;
using security::PodPolicy;
using security::PortRange;

constexpr size_t kMaxEntries = 256;  // of one list, and sections
constexpr size_t kMaxGlobBytes = 512;
constexpr size_t kMaxStars = 16;
constexpr size_t kMaxNamespaceBytes = 63;
constexpr uint64_t kMostNumber = INT64_MAX;

// One function for each element, with a bound on their number.
template <typename T>
absl::Status ApplyList(const Value& value, std::vector<T>* list,
                       absl::Status (*apply)(const Value& element, T* out)) {
  list->clear();
  return value.EachElement([&](absl::string_view, const Value& element) -> absl::Status {
    if (list->size() == kMaxEntries) return element.Error("more than 256 entries");
    return apply(element, &list->emplace_back());
  });
}

absl::Status ApplyPathText(const Value& value, std::string* out) { return value.Path(out); }

absl::Status ApplyPaths(const Value& value, std::vector<std::string>* list) {
  return ApplyList<std::string>(value, list, ApplyPathText);
}

// Over names of devices, sysctls and runtimes, which have other characters than images'.
absl::Status ApplyGlob(const Value& value, std::string* out) {
  BULKHEAD_RETURN_IF_ERROR(value.Text(out));
  size_t stars = 0;
  for (const char c : *out) {
    if (!absl::ascii_isgraph(c) || c == '?' || c == '[') return value.Error("not a glob");
    stars += c == '*' ? 1 : 0;
  }
  if (out->empty() || out->size() > kMaxGlobBytes || stars > kMaxStars) {
    return value.Error("must have 1 to 512 bytes and at most 16 stars");
  }
  return absl::OkStatus();
}

absl::Status ApplyGlobs(const Value& value, std::vector<std::string>* list) {
  return ApplyList<std::string>(value, list, ApplyGlob);
}

constexpr Key<PathRule> kPathKeys[] = {
    {"path", [](const Value& v, PathRule* r) { return v.Path(&r->prefix); }},
    {"read_only", [](const Value& v, PathRule* r) { return v.Flag(&r->read_only); }},
};

// "/srv", or {path = "/srv", read_only = true}.
absl::Status ApplyHostPath(const Value& value, PathRule* rule) {
  if (!value.IsTable()) return value.Path(&rule->prefix);
  BULKHEAD_RETURN_IF_ERROR(ApplyTable<PathRule>(value, kPathKeys, rule));
  return rule->prefix.empty() ? value.Error("has no path") : absl::OkStatus();
}

bool ToPort(absl::string_view text, uint16_t* out) {
  uint32_t port = 0;
  if (text.size() > 5 || !absl::SimpleAtoi(text, &port) || port == 0 || port > UINT16_MAX) {
    return false;
  }
  *out = static_cast<uint16_t>(port);
  return true;
}

// "8080" or "30000-32767".
absl::Status ApplyPorts(const Value& value, PortRange* range) {
  std::string text;
  BULKHEAD_RETURN_IF_ERROR(value.Text(&text));
  const std::vector<absl::string_view> ends = absl::StrSplit(text, '-');
  if (ends.size() <= 2 && ToPort(ends.front(), &range->first) &&
      ToPort(ends.back(), &range->last) && range->first <= range->last) {
    return absl::OkStatus();
  }
  return value.Error("must be a port or a range of ports, as \"30000-32767\"");
}

absl::Status ApplyCapabilities(const Value& value, PodPolicy* policy) {
  policy->capabilities = 0;
  return value.EachElement([policy](absl::string_view, const Value& element) -> absl::Status {
    std::string name;
    BULKHEAD_RETURN_IF_ERROR(element.Text(&name));
    const int number = security::PodCapabilityNumber(name);
    if (number < 0 && name != "ALL") return element.Error("no such capability");
    policy->capabilities |= number < 0 ? ~uint64_t{0} : uint64_t{1} << number;
    return absl::OkStatus();
  });
}

constexpr Key<PodPolicy> kKeys[] = {
    {"profile", [](const Value&, PodPolicy*) { return absl::OkStatus(); }},  // before all others
    {"capabilities", ApplyCapabilities},
    {"kubelet_root", [](const Value& v, PodPolicy* p) { return v.Path(&p->kubelet_root); }},
    {"host_paths",
     [](const Value& v, PodPolicy* p) {
       return ApplyList<PathRule>(v, &p->host_paths, ApplyHostPath);
     }},
    {"log_dirs", [](const Value& v, PodPolicy* p) { return ApplyPaths(v, &p->log_dirs); }},
    {"devices", [](const Value& v, PodPolicy* p) { return ApplyPaths(v, &p->devices); }},
    {"cdi", [](const Value& v, PodPolicy* p) { return ApplyGlobs(v, &p->cdi); }},
    {"sysctls", [](const Value& v, PodPolicy* p) { return ApplyGlobs(v, &p->sysctls); }},
    {"host_ports",
     [](const Value& v, PodPolicy* p) {
       return ApplyList<PortRange>(v, &p->host_ports, ApplyPorts);
     }},
    {"runtimes", [](const Value& v, PodPolicy* p) { return ApplyGlobs(v, &p->runtimes); }},
    {"memory_max", [](const Value& v,
                      PodPolicy* p) { return v.Number(uint64_t{0}, kMostNumber, &p->memory_max); }},
    {"cpu_max",
     [](const Value& v, PodPolicy* p) { return v.Number(uint64_t{0}, 10'000'000, &p->cpu_max); }},
    {"pids_max",
     [](const Value& v, PodPolicy* p) { return v.Number(uint64_t{0}, 4'194'304, &p->pids_max); }},
};

absl::Status ApplyKey(absl::string_view name, const Value& value, PodPolicy* policy) {
  for (const security::PodFlag& flag : security::PodFlags()) {
    if (name == flag.key) return value.Flag(&(policy->*flag.member));
  }
  for (const Key<PodPolicy>& key : kKeys) {
    if (name == key.name) return key.apply(value, policy);
  }
  return value.Error("unknown key");
}

// The profile counts first, wherever it stands.
absl::Status ApplyProfile(const Value& table, PodPolicy* policy) {
  return table.EachEntry([policy](absl::string_view name, const Value& value) -> absl::Status {
    if (name != "profile") return absl::OkStatus();
    std::string text;
    BULKHEAD_RETURN_IF_ERROR(value.Text(&text));
    const std::optional<PodPolicy> profile = security::PodProfile(text);
    if (!profile) return value.Error("must be \"compatible\", \"baseline\" or \"restricted\"");
    *policy = *profile;
    return absl::OkStatus();
  });
}

absl::Status ApplySection(absl::string_view name, const Value& value, PodPolicies* policies) {
  if (policies->namespaces.size() == kMaxEntries) return value.Error("more than 256 sections");
  if (name.empty() || name.size() > kMaxNamespaceBytes) return value.Error("not a namespace");
  for (const char c : name) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '-') {
      return value.Error("not the name of a Kubernetes namespace");
    }
  }
  PodPolicy policy = policies->node;
  BULKHEAD_RETURN_IF_ERROR(ApplyProfile(value, &policy));
  policy.table = absl::StrCat("pods.namespace.", name);
  BULKHEAD_RETURN_IF_ERROR(value.EachEntry(
      [&](absl::string_view key, const Value& entry) { return ApplyKey(key, entry, &policy); }));
  policies->namespaces[std::string(name)] = std::move(policy);
  return absl::OkStatus();
}

}  // namespace

PodPolicies DefaultPodPolicies() {
  PodPolicies policies;
  policies.node = *security::PodProfile(security::kCompatible);
  policies.hash = PolicyHash(security::kCompatible);
  return policies;
}

absl::Status ApplyPods(const Value& value, PodPolicies* policies) {
  BULKHEAD_RETURN_IF_ERROR(ApplyProfile(value, &policies->node));
  BULKHEAD_RETURN_IF_ERROR(
      value.EachEntry([policies](absl::string_view name, const Value& entry) -> absl::Status {
        if (name == "namespace") return absl::OkStatus();
        if (name == "namespaces_trusted") return entry.Flag(&policies->namespaces_trusted);
        return ApplyKey(name, entry, &policies->node);
      }));
  // Those that name no profile begin with the node's keys, so these must be complete.
  return value.EachEntry([policies](absl::string_view name, const Value& entry) -> absl::Status {
    if (name != "namespace") return absl::OkStatus();
    return entry.EachEntry([policies](absl::string_view section, const Value& keys) {
      return ApplySection(section, keys, policies);
    });
  });
}

std::string PolicyHash(absl::string_view text) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

}  // namespace bulkhead::tools
