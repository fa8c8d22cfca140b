#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tools/config/keys.h"
#include "tools/config/layers.h"
#include "tools/config/pods.h"
#include "tools/config/runtimes.h"
#include "tools/config/settings.h"
#include "tools/config/value.h"

namespace bulkhead::tools {
namespace {

constexpr size_t kMaxRuntimeNameBytes = 63;
// "<run_dir>/admin.sock" has to fit into a socket address (108 bytes) with room for longer names.
constexpr size_t kMaxRunDirBytes = 80;
constexpr size_t kMaxCdiSpecDirs = 8;
// What the root and run directories hold besides one directory a runtime.
constexpr std::array<absl::string_view, 8> kReservedNames = {
    "audit", "state", "blobs", "ingest", "layers", "containers", "pods", "monitor"};

bool IsRuntimeName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxRuntimeNameBytes) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
}

absl::Status ApplyRuntimes(const Value& value, Settings* settings) {
  return value.EachEntry([settings](absl::string_view name, const Value& entry) {
    if (!IsRuntimeName(name)) return entry.Error("a runtime's name is 1 to 63 of a-z, 0-9 and -");
    if (std::count(kReservedNames.begin(), kReservedNames.end(), name) > 0) {
      return entry.Error("a directory of root_dir or run_dir has this name already");
    }
    return ApplyRuntime(entry, &settings->runtimes[std::string(name)]);
  });
}

constexpr Key<EndpointSettings> kEndpointKeys[] = {
    {"host", [](const Value& v, EndpointSettings* e) { return v.HostPort(&e->host); }},
    {"plain_http", [](const Value& v, EndpointSettings* e) { return v.Flag(&e->plain_http); }},
    {"skip_verify", [](const Value& v, EndpointSettings* e) { return v.Flag(&e->skip_verify); }},
    {"ca_file",
     [](const Value& v, EndpointSettings* e) { return v.Path(&e->ca_files.emplace_back()); }},
    {"credentials", [](const Value& v, EndpointSettings* e) { return v.Flag(&e->credentials); }},
};

using Endpoints = std::vector<EndpointSettings>;

absl::Status ApplyEndpoints(const Value& value, Endpoints* endpoints) {
  endpoints->clear();
  return value.EachElement([endpoints](absl::string_view, const Value& element) {
    EndpointSettings* endpoint = &endpoints->emplace_back();
    BULKHEAD_RETURN_IF_ERROR(ApplyTable<EndpointSettings>(element, kEndpointKeys, endpoint));
    if (endpoint->host.empty()) return element.Error("has no host");
    if (endpoint->plain_http && (endpoint->skip_verify || !endpoint->ca_files.empty())) {
      return element.Error("plain_http has no certificate that skip_verify or ca_file speak of");
    }
    return absl::OkStatus();
  });
}

absl::Status ApplyTokenHosts(const Value& value, RegistrySettings* registry) {
  registry->token_hosts.clear();
  return value.EachElement([registry](absl::string_view, const Value& element) {
    return element.HostPort(&registry->token_hosts.emplace_back());
  });
}

constexpr Key<RegistrySettings> kRegistryKeys[] = {
    {"endpoints",
     [](const Value& v, RegistrySettings* r) { return ApplyEndpoints(v, &r->endpoints); }},
    {"token_hosts", ApplyTokenHosts},
};

absl::Status ApplyRegistries(const Value& value, Settings* settings) {
  return value.EachEntry([settings](absl::string_view host, const Value& entry) {
    if (host != "*" && !IsHostPort(host)) {
      return entry.Error("a registry is named by host or host:port in lower case, or \"*\"");
    }
    return ApplyTable<RegistrySettings>(entry, kRegistryKeys,
                                        &settings->registries[std::string(host)]);
  });
}

constexpr Key<ImageRuleSettings> kImageRuleKeys[] = {
    {"pattern", [](const Value& v, ImageRuleSettings* r) { return v.Text(&r->pattern); }},
    {"runtime", [](const Value& v, ImageRuleSettings* r) { return v.Text(&r->runtime); }},
};

absl::Status ApplyImageRules(const Value& value, Settings* settings) {
  settings->image_rules.clear();
  return value.EachElement([settings](absl::string_view, const Value& element) {
    ImageRuleSettings* rule = &settings->image_rules.emplace_back();
    BULKHEAD_RETURN_IF_ERROR(ApplyTable<ImageRuleSettings>(element, kImageRuleKeys, rule));
    if (rule->pattern.empty() || rule->runtime.empty()) {
      return element.Error("needs a pattern and a runtime");
    }
    return absl::OkStatus();
  });
}

absl::Status ApplyImageRulePresets(const Value& value, Settings* settings) {
  settings->image_rule_presets.clear();
  return value.EachElement([settings](absl::string_view, const Value& element) {
    std::string* preset = &settings->image_rule_presets.emplace_back();
    BULKHEAD_RETURN_IF_ERROR(element.Text(preset));
    return ImageRulePreset(*preset).empty() ? element.Error("no preset of this name")
                                            : absl::OkStatus();
  });
}

constexpr Key<Settings> kCdiKeys[] = {
    {"spec_dirs", [](const Value& v, Settings* s) { return v.Paths(&s->cdi_spec_dirs); }},
    {"hooks", [](const Value& v, Settings* s) { return v.Paths(&s->cdi_hooks); }},
};

absl::Status ApplyCdi(const Value& value, Settings* settings) {
  return ApplyTable<Settings>(value, kCdiKeys, settings);
}

absl::Status ApplyAuditFailure(const Value& value, Settings* settings) {
  std::string text;
  BULKHEAD_RETURN_IF_ERROR(value.Text(&text));
  if (text != "refuse" && text != "proceed") {
    return value.Error("must be \"refuse\" or \"proceed\"");
  }
  settings->audit_proceed = text == "proceed";
  return absl::OkStatus();
}

constexpr Key<Settings> kAuditKeys[] = {
    {"enabled", [](const Value& v, Settings* s) { return v.Flag(&s->audit); }},
    {"on_failure", ApplyAuditFailure},
};

absl::Status ApplyAudit(const Value& value, Settings* settings) {
  return ApplyTable<Settings>(value, kAuditKeys, settings);
}

// "http://[user:password@]host:port" or another scheme that fetch speaks to proxies.
absl::Status ApplyProxy(const Value& value, std::string* proxy) {
  BULKHEAD_RETURN_IF_ERROR(value.Text(proxy));
  return IsProxyUrl(*proxy) ? absl::OkStatus() : value.Error("is no URL of a proxy");
}

constexpr Key<PullSettings> kPullKeys[] = {
    {"at_once", [](const Value& v, PullSettings* p) { return v.Number(1, 64, &p->at_once); }},
    {"deadline_seconds",
     [](const Value& v, PullSettings* p) { return v.Number(1, 86400, &p->deadline_seconds); }},
    {"minimum_bytes_per_second",
     [](const Value& v, PullSettings* p) {
       return v.Number(0, 1 << 30, &p->minimum_bytes_per_second);
     }},
    {"minimum_window_seconds",
     [](const Value& v, PullSettings* p) { return v.Number(1, 3600, &p->minimum_window_seconds); }},
    {"private_redirects",
     [](const Value& v, PullSettings* p) { return v.Flag(&p->private_redirects); }},
    {"registry_dirs", [](const Value& v, PullSettings* p) { return v.Paths(&p->registry_dirs); }},
    {"http_proxy", [](const Value& v, PullSettings* p) { return ApplyProxy(v, &p->http_proxy); }},
    {"https_proxy", [](const Value& v, PullSettings* p) { return ApplyProxy(v, &p->https_proxy); }},
    {"no_proxy", [](const Value& v, PullSettings* p) { return v.Text(&p->no_proxy); }},
};

absl::Status ApplyPulls(const Value& value, Settings* settings) {
  return ApplyTable<PullSettings>(value, kPullKeys, &settings->pulls);
}

absl::Status ApplyAddress(const Value& value, StreamingSettings* streaming) {
  BULKHEAD_RETURN_IF_ERROR(value.Text(&streaming->address));
  in6_addr bytes;
  if (inet_pton(AF_INET, streaming->address.c_str(), &bytes) == 1) return absl::OkStatus();
  if (inet_pton(AF_INET6, streaming->address.c_str(), &bytes) == 1) return absl::OkStatus();
  return value.Error("must be an IPv4 or IPv6 address");
}

constexpr Key<StreamingSettings> kStreamingKeys[] = {
    {"address", ApplyAddress},
    {"port", [](const Value& v, StreamingSettings* s) { return v.Port(&s->port); }},
    {"tls_cert", [](const Value& v, StreamingSettings* s) { return v.Path(&s->tls_cert); }},
    {"tls_key", [](const Value& v, StreamingSettings* s) { return v.Path(&s->tls_key); }},
    {"forward_to_node",
     [](const Value& v, StreamingSettings* s) { return v.Flag(&s->forward_to_node); }},
};

absl::Status ApplyStreaming(const Value& value, Settings* settings) {
  return ApplyTable<StreamingSettings>(value, kStreamingKeys, &settings->streaming);
}

constexpr Key<Settings> kImagesKeys[] = {
    {"keep_layers", [](const Value& v, Settings* s) { return v.Flag(&s->keep_layers); }},
    {"pinned", [](const Value& v, Settings* s) { return v.Globs(&s->pinned_images); }},
};

absl::Status ApplyImages(const Value& value, Settings* settings) {
  return ApplyTable<Settings>(value, kImagesKeys, settings);
}

absl::Status ApplyCgroupDriver(const Value& value, Settings* settings) {
  std::string* driver = &settings->cgroup_driver;
  BULKHEAD_RETURN_IF_ERROR(value.Text(driver));
  if (*driver == "auto" || *driver == "cgroupfs" || *driver == "systemd") return absl::OkStatus();
  return value.Error("must be \"auto\", \"cgroupfs\" or \"systemd\"");
}

constexpr Key<Settings> kTopKeys[] = {
    {"audit", ApplyAudit},
    {"root_dir", [](const Value& v, Settings* s) { return v.Path(&s->root_dir); }},
    {"run_dir", [](const Value& v, Settings* s) { return v.Path(&s->run_dir); }},
    {"default_runtime", [](const Value& v, Settings* s) { return v.Text(&s->default_runtime); }},
    {"runtimes", ApplyRuntimes},
    {"cni", ApplyCni},
    {"user_namespaces", ApplyUserNamespaces},
    {"registries", ApplyRegistries},
    {"layers", ApplyLayers},
    {"pulls", ApplyPulls},
    {"streaming", ApplyStreaming},
    {"allowed_uids", [](const Value& v, Settings* s) { return v.Uids(&s->allowed_uids); }},
    {"sandbox_image", [](const Value& v, Settings* s) { return v.Text(&s->sandbox_image); }},
    {"image_rules", ApplyImageRules},
    {"image_rule_presets", ApplyImageRulePresets},
    {"seccomp_root", [](const Value& v, Settings* s) { return v.Path(&s->seccomp_root); }},
    {"cdi", ApplyCdi},
    {"images", ApplyImages},
    {"policy_file", [](const Value& v, Settings* s) { return v.Path(&s->policy_file); }},
    {"cgroup_driver", ApplyCgroupDriver},
};

bool Contains(absl::string_view outer, absl::string_view inner) {
  return inner == outer || absl::StartsWith(inner, absl::StrCat(outer, "/"));
}

}  // namespace

absl::Status ApplyToml(absl::string_view text, const std::string& file, Settings* settings) {
  toml::parse_result parsed = toml::parse(std::string_view(text.data(), text.size()));
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return absl::InvalidArgumentError(
        absl::StrCat(file, ":", error.source().begin.line, ": ", std::string(error.description())));
  }
  return ApplyTable<Settings>(Value(parsed.table(), file, ""), kTopKeys, settings);
}

absl::Status CheckSettings(const Settings& settings) {
  if (settings.root_dir == "/" || settings.run_dir == "/") {
    return absl::InvalidArgumentError("root_dir and run_dir cannot be /");
  }
  if (Contains(settings.root_dir, settings.run_dir) ||
      Contains(settings.run_dir, settings.root_dir)) {
    return absl::InvalidArgumentError("root_dir and run_dir: neither may lie in the other");
  }
  if (settings.run_dir.size() > kMaxRunDirBytes) {
    return absl::InvalidArgumentError("run_dir: over 80 bytes, too long for socket addresses");
  }
  BULKHEAD_RETURN_IF_ERROR(CheckUserNamespaces(settings));
  if (settings.streaming.tls_cert.empty() != settings.streaming.tls_key.empty()) {
    return absl::InvalidArgumentError("streaming: tls_cert and tls_key go together");
  }
  for (const auto& [name, runtime] : settings.runtimes) {
    BULKHEAD_RETURN_IF_ERROR(CheckRuntime(name, runtime));
  }
  if (settings.runtimes.count(settings.default_runtime) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("default_runtime: no runtime is named '", settings.default_runtime, "'"));
  }
  BULKHEAD_RETURN_IF_ERROR(CheckImageRules(settings));
  if (settings.cdi_spec_dirs.size() > kMaxCdiSpecDirs) {
    return absl::InvalidArgumentError("cdi.spec_dirs: more than 8");
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::tools
