#include "tools/config/encode_registries.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <stdlib.h>
#include <string.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ipc/wipe.h"
#include "tools/config/hosts_toml.h"
#include "tools/config/owned_file.h"
#include "tools/config/value.h"

namespace bulkhead::tools {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

absl::StatusOr<std::string> ReadPem(const std::string& file) {
  BULKHEAD_ASSIGN_OR_RETURN(std::string text, ReadOwnedFile(file, kMaxPemBytes));
  if (absl::StrContains(text, "-----BEGIN ")) return text;
  return absl::InvalidArgumentError(absl::StrCat(file, ": holds no PEM"));
}

kj::ArrayPtr<const kj::byte> Bytes(const std::string& text) {
  return {reinterpret_cast<const kj::byte*>(text.data()), text.size()};
}

absl::Status EncodeCertificates(const EndpointSettings& endpoint, schema::Endpoint::Builder out) {
  std::string authorities;
  for (const std::string& file : endpoint.ca_files) {
    BULKHEAD_ASSIGN_OR_RETURN(std::string pem, ReadPem(file));
    absl::StrAppend(&authorities, pem, "\n");
  }
  out.setCa(Bytes(authorities));
  if (endpoint.client_cert.empty()) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(std::string certificate, ReadPem(endpoint.client_cert));
  BULKHEAD_ASSIGN_OR_RETURN(
      std::string key,
      ReadPem(endpoint.client_key.empty() ? endpoint.client_cert : endpoint.client_key));
  out.setClientCert(Bytes(certificate));
  out.setClientKey(Bytes(key));
  explicit_bzero(key.data(), key.size());
  explicit_bzero(certificate.data(), certificate.size());  // may hold the key
  return absl::OkStatus();
}

absl::Status EncodeEndpoint(const EndpointSettings& endpoint, schema::Endpoint::Builder out) {
  out.setHost(endpoint.host);
  out.setPlainHttp(endpoint.plain_http);
  out.setSkipVerify(endpoint.skip_verify);
  out.setPath(endpoint.path);
  out.setResolve(endpoint.resolve);
  out.setPull(endpoint.pull);
  out.setCredentials(endpoint.credentials);
  auto headers = out.initHeaders(endpoint.headers.size());
  for (size_t i = 0; i < endpoint.headers.size(); ++i) {
    headers[i].setKey(endpoint.headers[i].first);
    headers[i].setValue(endpoint.headers[i].second);
  }
  return EncodeCertificates(endpoint, out);
}

absl::Status EncodeRegistry(const RegistrySettings& registry, schema::Registry::Builder out) {
  auto endpoints = out.initEndpoints(registry.endpoints.size());
  for (size_t i = 0; i < registry.endpoints.size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(EncodeEndpoint(registry.endpoints[i], endpoints[i]));
  }
  auto hosts = out.initTokenHosts(registry.token_hosts.size());
  for (size_t i = 0; i < registry.token_hosts.size(); ++i) hosts.set(i, registry.token_hosts[i]);
  return absl::OkStatus();
}

std::string FromEnvironment(const char* upper, const char* lower) {
  const char* value = getenv(upper);
  if (value == nullptr || *value == '\0') value = getenv(lower);
  return value == nullptr ? "" : value;
}

// As environments have it: the scheme may be missing.
absl::Status EncodeProxy(const std::string& configured, const char* upper, const char* lower,
                         std::string* out) {
  *out = configured.empty() ? FromEnvironment(upper, lower) : configured;
  if (!out->empty() && !absl::StrContains(*out, "://")) *out = absl::StrCat("http://", *out);
  if (out->empty() || IsProxyUrl(*out)) return absl::OkStatus();
  // Not its value: it may hold a password.
  return absl::InvalidArgumentError(absl::StrCat("environment: ", upper, " is no URL of a proxy"));
}

absl::Status EncodeProxies(const PullSettings& pulls, schema::Proxy::Builder out) {
  std::string http, https;
  BULKHEAD_RETURN_IF_ERROR(EncodeProxy(pulls.http_proxy, "HTTP_PROXY", "http_proxy", &http));
  BULKHEAD_RETURN_IF_ERROR(EncodeProxy(pulls.https_proxy, "HTTPS_PROXY", "https_proxy", &https));
  out.setHttp(http);
  out.setHttps(https);
  out.setNone(pulls.no_proxy.empty() ? FromEnvironment("NO_PROXY", "no_proxy") : pulls.no_proxy);
  return absl::OkStatus();
}

}  // namespace

absl::Status EncodeRegistries(const Settings& settings, schema::Registries::Builder out) {
  std::map<std::string, RegistrySettings> registries = settings.registries;
  for (const std::string& root : settings.pulls.registry_dirs) {
    BULKHEAD_RETURN_IF_ERROR(LoadRegistryTree(root, &registries));
  }
  auto list = out.initRegistries(registries.size());
  unsigned i = 0;
  for (const auto& [host, registry] : registries) {
    list[i].setHost(host);
    BULKHEAD_RETURN_IF_ERROR(EncodeRegistry(registry, list[i++]));
  }
  out.setPrivateRedirects(settings.pulls.private_redirects);
  return EncodeProxies(settings.pulls, out.initProxy());
}

absl::StatusOr<base::UniqueFd> RegistriesMemfd(const Settings& settings) {
  capnp::MallocMessageBuilder message;
  absl::Status status = EncodeRegistries(settings, message.initRoot<schema::Registries>());
  if (!status.ok()) return status;
  kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  auto bytes = words.asBytes();
  absl::StatusOr<base::UniqueFd> fd = base::MakeSealedMemfd(
      "bulkhead-registries",
      absl::string_view(reinterpret_cast<const char*>(bytes.begin()), bytes.size()));
  explicit_bzero(words.begin(), bytes.size());
  ipc::Wipe(message);
  return fd;
}

}  // namespace bulkhead::tools
