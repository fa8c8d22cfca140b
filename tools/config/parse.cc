#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "tools/config/settings.h"
#include "tools/config/value.h"

namespace bulkhead::tools {
namespace {

constexpr size_t kMaxRuntimeNameBytes = 63;
// Of user namespaces: ids from 2^31 on are where layers lie on disk.
constexpr uint32_t kMaxPodId = 0x7fffffff;
constexpr uint32_t kIdsOfOnePod = 65536;
// "<run_dir>/admin.sock" has to fit into a socket address (108 bytes) with room for longer names.
constexpr size_t kMaxRunDirBytes = 80;
// What the root and run directories hold besides one directory a runtime.
constexpr std::array<absl::string_view, 8> kReservedNames = {
    "audit", "state", "blobs", "ingest", "layers", "containers", "pods", "monitor"};

// One known key and what it does to T; a key that no row names is an error.
template <typename T>
struct Key {
  absl::string_view name;
  absl::Status (*apply)(const Value& value, T* target);
};

template <typename T>
absl::Status ApplyTable(const Value& table, absl::Span<const Key<T>> keys, T* target) {
  return table.EachEntry([&](absl::string_view name, const Value& value) {
    for (const Key<T>& key : keys) {
      if (key.name == name) return key.apply(value, target);
    }
    return value.Error("unknown key");
  });
}

bool IsRuntimeName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxRuntimeNameBytes) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
}

absl::Status ApplyRuntimeType(const Value& value, RuntimeSettings* runtime) {
  BULKHEAD_RETURN_IF_ERROR(value.Text(&runtime->type));
  if (runtime->type == "oci") return absl::OkStatus();
  return value.Error("must be \"oci\", the only type that this version has");
}

constexpr Key<RuntimeSettings> kRuntimeKeys[] = {
    {"type", ApplyRuntimeType},
    {"path", [](const Value& value, RuntimeSettings* r) { return value.Path(&r->path); }},
};

absl::Status ApplyRuntimes(const Value& value, Settings* settings) {
  return value.EachEntry([settings](absl::string_view name, const Value& entry) {
    if (!IsRuntimeName(name)) return entry.Error("a runtime's name is 1 to 63 of a-z, 0-9 and -");
    if (std::count(kReservedNames.begin(), kReservedNames.end(), name) > 0) {
      return entry.Error("a directory of root_dir or run_dir has this name already");
    }
    return ApplyTable<RuntimeSettings>(entry, kRuntimeKeys, &settings->runtimes[std::string(name)]);
  });
}

constexpr Key<EndpointSettings> kEndpointKeys[] = {
    {"host", [](const Value& v, EndpointSettings* e) { return v.HostPort(&e->host); }},
    {"plain_http", [](const Value& v, EndpointSettings* e) { return v.Flag(&e->plain_http); }},
    {"skip_verify", [](const Value& v, EndpointSettings* e) { return v.Flag(&e->skip_verify); }},
    {"ca_file", [](const Value& v, EndpointSettings* e) { return v.Path(&e->ca_file); }},
};

using Endpoints = std::vector<EndpointSettings>;

absl::Status ApplyEndpoints(const Value& value, Endpoints* endpoints) {
  endpoints->clear();
  return value.EachElement([endpoints](absl::string_view, const Value& element) {
    EndpointSettings* endpoint = &endpoints->emplace_back();
    BULKHEAD_RETURN_IF_ERROR(ApplyTable<EndpointSettings>(element, kEndpointKeys, endpoint));
    if (endpoint->host.empty()) return element.Error("has no host");
    if (endpoint->plain_http && (endpoint->skip_verify || !endpoint->ca_file.empty())) {
      return element.Error("plain_http has no certificate that skip_verify or ca_file speak of");
    }
    return absl::OkStatus();
  });
}

constexpr Key<Endpoints> kRegistryKeys[] = {{"endpoints", ApplyEndpoints}};

absl::Status ApplyRegistries(const Value& value, Settings* settings) {
  return value.EachEntry([settings](absl::string_view host, const Value& entry) {
    if (host != "*" && !IsHostPort(host)) {
      return entry.Error("a registry is named by host or host:port in lower case, or \"*\"");
    }
    return ApplyTable<Endpoints>(entry, kRegistryKeys, &settings->registries[std::string(host)]);
  });
}

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

absl::Status ApplyUserNamespaces(const Value& value, Settings* settings) {
  return ApplyTable<Settings>(value, kUserNamespaceKeys, settings);
}

absl::Status ApplyCni(const Value& value, Settings* settings) {
  return ApplyTable<Settings>(value, kCniKeys, settings);
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

constexpr Key<Settings> kTopKeys[] = {
    {"audit", ApplyAudit},
    {"root_dir", [](const Value& v, Settings* s) { return v.Path(&s->root_dir); }},
    {"run_dir", [](const Value& v, Settings* s) { return v.Path(&s->run_dir); }},
    {"default_runtime", [](const Value& v, Settings* s) { return v.Text(&s->default_runtime); }},
    {"runtimes", ApplyRuntimes},
    {"cni", ApplyCni},
    {"user_namespaces", ApplyUserNamespaces},
    {"registries", ApplyRegistries},
    {"allowed_uids", [](const Value& v, Settings* s) { return v.Uids(&s->allowed_uids); }},
    {"sandbox_image", [](const Value& v, Settings* s) { return v.Text(&s->sandbox_image); }},
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
  if ((settings.subordinate_first == 0) != (settings.subordinate_count == 0)) {
    return absl::InvalidArgumentError("user_namespaces: first_id and count go together");
  }
  if (uint64_t{settings.subordinate_first} + settings.subordinate_count > kMaxPodId) {
    return absl::InvalidArgumentError("user_namespaces: ids from 2^31 on are taken by layers");
  }
  for (const auto& [name, runtime] : settings.runtimes) {
    if (runtime.path.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("runtimes.", name, ": has no path"));
    }
  }
  if (settings.runtimes.count(settings.default_runtime) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("default_runtime: no runtime is named '", settings.default_runtime, "'"));
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::tools
