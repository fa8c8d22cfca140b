#include "tools/config/hosts_toml.h"

#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/log.h"
#include "base/status.h"
#include "tools/config/owned_file.h"
#include "tools/config/value.h"

namespace bulkhead::tools {
namespace {

constexpr char kHostsFile[] = "hosts.toml";
constexpr char kDefaultDirectory[] = "_default";
constexpr size_t kMaxHosts = 16;

struct Context {
  const std::string& directory;
  std::vector<std::string>* unknown;
};

std::string Absolute(const Context& context, const std::string& path) {
  return absl::StartsWith(path, "/") ? path : absl::StrCat(context.directory, "/", path);
}

// "/a/b/v2" of "/a//b/v2/". False: it cannot stand in a URL.
bool CleanUrlPath(absl::string_view text, std::string* out) {
  out->clear();
  for (absl::string_view part : absl::StrSplit(text, '/', absl::SkipEmpty())) {
    bool plain = std::all_of(part.begin(), part.end(), [](char c) {
      return absl::ascii_isalnum(c) || absl::StrContains("._~-", c);
    });
    if (!plain || part == "." || part == "..") return false;
    absl::StrAppend(out, "/", part);
  }
  return true;
}

// "https://host:port/path", or without the scheme.
absl::Status ApplyServer(const Value& where, absl::string_view url, bool override_path,
                         EndpointSettings* endpoint) {
  if (absl::ConsumePrefix(&url, "http://")) {
    endpoint->plain_http = true;
  } else {
    absl::ConsumePrefix(&url, "https://");
  }
  size_t slash = std::min(url.find('/'), url.size());
  endpoint->host = absl::AsciiStrToLower(url.substr(0, slash));
  if (!IsHostPort(endpoint->host)) return where.Error("is no URL of a host");
  if (!CleanUrlPath(url.substr(slash), &endpoint->path)) {
    return where.Error("has a path that is none of a registry");
  }
  if (!override_path && !absl::EndsWith(endpoint->path, "/v2")) endpoint->path += "/v2";
  return absl::OkStatus();
}

absl::Status ApplyCapabilities(const Value& value, EndpointSettings* endpoint) {
  endpoint->pull = endpoint->resolve = false;
  return value.EachElement([endpoint](absl::string_view, const Value& element) -> absl::Status {
    std::string name;
    BULKHEAD_RETURN_IF_ERROR(element.Text(&name));
    if (name == "pull")
      endpoint->pull = true;
    else if (name == "resolve")
      endpoint->resolve = true;
    else if (name != "push")
      return element.Error("must be \"pull\", \"resolve\" or \"push\"");
    return absl::OkStatus();
  });
}

absl::Status ApplyCa(const Context& context, const Value& value, EndpointSettings* endpoint) {
  std::vector<std::string> files;
  BULKHEAD_RETURN_IF_ERROR(value.TextOrTexts(&files));
  for (const std::string& file : files) endpoint->ca_files.push_back(Absolute(context, file));
  return absl::OkStatus();
}

// "file", ["file", ...], or [["cert", "key"], ...]. One is used: whoever asks for a certificate
// gets the first.
absl::Status ApplyClient(const Context& context, const Value& value, EndpointSettings* endpoint) {
  std::vector<std::vector<std::string>> pairs;
  if (!value.IsArray()) {
    BULKHEAD_RETURN_IF_ERROR(value.Text(&pairs.emplace_back().emplace_back()));
  } else {
    BULKHEAD_RETURN_IF_ERROR(
        value.EachElement([&pairs](absl::string_view, const Value& element) -> absl::Status {
          BULKHEAD_RETURN_IF_ERROR(element.TextOrTexts(&pairs.emplace_back()));
          size_t words = pairs.back().size();
          return words == 1 || words == 2 ? absl::OkStatus()
                                          : element.Error("must be a file or [cert, key]");
        }));
  }
  if (pairs.empty()) return absl::OkStatus();
  if (pairs.size() > 1) {
    context.unknown->push_back(
        std::string(value.Error("only the first client certificate is used").message()));
  }
  endpoint->client_cert = Absolute(context, pairs[0][0]);
  bool own_key = pairs[0].size() == 2 && !pairs[0][1].empty();
  endpoint->client_key = own_key ? Absolute(context, pairs[0][1]) : "";
  return absl::OkStatus();
}

absl::Status ApplyHeaders(const Value& value, EndpointSettings* endpoint) {
  return value.EachEntry([endpoint](absl::string_view name, const Value& entry) -> absl::Status {
    bool good = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return absl::ascii_isalnum(c) || absl::StrContains("-_", c);
    });
    if (!good) return entry.Error("is no name of a header");
    std::vector<std::string> values;
    BULKHEAD_RETURN_IF_ERROR(entry.TextOrTexts(&values));
    for (std::string& text : values) endpoint->headers.emplace_back(name, std::move(text));
    return absl::OkStatus();
  });
}

// The keys that a host table and the file itself have in common.
absl::Status ApplyKey(const Context& context, absl::string_view name, const Value& value,
                      EndpointSettings* endpoint, bool* override_path) {
  if (name == "capabilities") return ApplyCapabilities(value, endpoint);
  if (name == "ca") return ApplyCa(context, value, endpoint);
  if (name == "client") return ApplyClient(context, value, endpoint);
  if (name == "skip_verify") return value.Flag(&endpoint->skip_verify);
  if (name == "header") return ApplyHeaders(value, endpoint);
  if (name == "override_path") return value.Flag(override_path);
  if (name == "credentials") return value.Flag(&endpoint->credentials);
  if (name != "dial_timeout") {
    context.unknown->push_back(std::string(value.Error("unknown, ignored").message()));
  }
  return absl::OkStatus();
}

absl::Status ApplyHost(const Context& context, absl::string_view url, const Value& table,
                       RegistrySettings* registry) {
  if (registry->endpoints.size() == kMaxHosts) return table.Error("one host too many");
  EndpointSettings endpoint;
  bool override_path = false;
  BULKHEAD_RETURN_IF_ERROR(table.EachEntry([&](absl::string_view name, const Value& value) {
    return ApplyKey(context, name, value, &endpoint, &override_path);
  }));
  BULKHEAD_RETURN_IF_ERROR(ApplyServer(table, url, override_path, &endpoint));
  registry->endpoints.push_back(std::move(endpoint));
  return absl::OkStatus();
}

// Docker's way, where there is no hosts.toml: *.crt are authorities, *.cert and *.key a client's.
absl::StatusOr<RegistrySettings> FromCertificates(const std::string& directory) {
  EndpointSettings endpoint;
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> authorities, NamesIn(directory, ".crt"));
  for (const std::string& name : authorities) {
    endpoint.ca_files.push_back(absl::StrCat(directory, "/", name));
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> certificates, NamesIn(directory, ".cert"));
  if (!certificates.empty()) {
    endpoint.client_cert = absl::StrCat(directory, "/", certificates[0]);
    endpoint.client_key = absl::StrCat(absl::StripSuffix(endpoint.client_cert, ".cert"), ".key");
  }
  return RegistrySettings{.endpoints = {endpoint}};
}

absl::StatusOr<RegistrySettings> LoadDirectory(const std::string& directory) {
  std::string file = absl::StrCat(directory, "/", kHostsFile);
  absl::StatusOr<std::string> text = ReadOwnedFile(file, kMaxHostsFileBytes);
  if (absl::IsNotFound(text.status())) return FromCertificates(directory);
  if (!text.ok()) return text.status();
  std::vector<std::string> unknown;
  absl::StatusOr<RegistrySettings> parsed = ParseHostsToml(*text, file, directory, &unknown);
  for (const std::string& what : unknown) {
    base::Log(base::Severity::kWarning, "hosts.toml", {{"what", what}});
  }
  return parsed;
}

}  // namespace

absl::StatusOr<RegistrySettings> ParseHostsToml(absl::string_view text, const std::string& file,
                                                const std::string& directory,
                                                std::vector<std::string>* unknown) {
  toml::parse_result parsed = toml::parse(std::string_view(text.data(), text.size()));
  if (!parsed) {
    return absl::InvalidArgumentError(absl::StrCat(file, ":", parsed.error().source().begin.line,
                                                   ": ",
                                                   std::string(parsed.error().description())));
  }
  const Context context = {directory, unknown};
  RegistrySettings registry;
  EndpointSettings server;
  bool override_path = false;
  std::string url;
  Value top(parsed.table(), file, "");
  BULKHEAD_RETURN_IF_ERROR(
      top.EachEntry([&](absl::string_view name, const Value& value) -> absl::Status {
        if (name == "server") return value.Text(&url);
        if (name != "host") return ApplyKey(context, name, value, &server, &override_path);
        return value.EachEntryInFileOrder([&](absl::string_view host, const Value& table) {
          return ApplyHost(context, host, table, &registry);
        });
      }));
  if (!url.empty()) {
    // Root says that this is the registry, wherever it is.
    server.credentials = true;
    BULKHEAD_RETURN_IF_ERROR(ApplyServer(top, url, override_path, &server));
  }
  registry.endpoints.push_back(std::move(server));
  return registry;
}

std::string RegistryOfDirectory(absl::string_view name) {
  if (name == kDefaultDirectory) return "*";
  std::string host(name);
  if (absl::EndsWith(name, "_")) {
    name.remove_suffix(1);
    size_t underscore = name.rfind('_');
    if (underscore == absl::string_view::npos) return "";
    host = absl::StrCat(name.substr(0, underscore), ":", name.substr(underscore + 1));
  }
  return IsHostPort(host) ? host : "";
}

absl::Status LoadRegistryTree(const std::string& root,
                              std::map<std::string, RegistrySettings>* registries) {
  absl::StatusOr<std::vector<std::string>> names = NamesIn(root, "");
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  if (!names.ok()) return names.status();
  // "host_port_" comes before "host:port", as in containerd.
  std::stable_partition(names->begin(), names->end(),
                        [](const std::string& name) { return absl::EndsWith(name, "_"); });
  for (const std::string& name : *names) {
    std::string host = RegistryOfDirectory(name);
    std::string directory = absl::StrCat(root, "/", name);
    struct stat about = {};
    if (stat(directory.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) continue;
    if (host.empty()) {
      base::Log(base::Severity::kWarning, "no registry has this name", {{"directory", directory}});
      continue;
    }
    RegistrySettings& known = (*registries)[host];
    if (!known.endpoints.empty()) continue;
    BULKHEAD_ASSIGN_OR_RETURN(RegistrySettings registry, LoadDirectory(directory));
    known.endpoints = std::move(registry.endpoints);
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::tools
