#include "worker/fetch/registry_url.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

constexpr char kDockerName[] = "docker.io";
constexpr char kDockerHost[] = "registry-1.docker.io";
constexpr absl::string_view kDockerAliases[] = {kDockerHost, "index.docker.io",
                                                "registry.hub.docker.com"};
constexpr size_t kMaxHostBytes = 261;  // a name and a port
constexpr size_t kMaxRepositoryBytes = 255;
constexpr size_t kMaxTagBytes = 128;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string GetPart(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return "";
  std::string out = absl::AsciiStrToLower(text);
  curl_free(text);
  return out;
}

bool AllOf(absl::string_view text, absl::string_view punctuation) {
  return std::all_of(text.begin(), text.end(), [punctuation](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains(punctuation, c);
  });
}

std::string HostOf(const FetchEndpoint& endpoint) {
  return endpoint.host == kDockerName ? kDockerHost : endpoint.host;
}

}  // namespace

absl::StatusOr<UrlParts> SplitUrl(const std::string& text) {
  std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return absl::InvalidArgumentError("a malformed URL");
  }
  UrlParts parts{GetPart(url.get(), CURLUPART_SCHEME), GetPart(url.get(), CURLUPART_HOST),
                 GetPart(url.get(), CURLUPART_PORT)};
  // Brackets and a zone are not part of the address.
  if (absl::StartsWith(parts.host, "[")) {
    parts.host = parts.host.substr(1, parts.host.find_first_of("%]") - 1);
  }
  if ((parts.scheme != "http" && parts.scheme != "https") || parts.host.empty()) {
    return absl::InvalidArgumentError("a URL that is neither http nor https");
  }
  return parts;
}

bool IsSameHost(const std::string& a, const std::string& b) {
  absl::StatusOr<UrlParts> one = SplitUrl(a), other = SplitUrl(b);
  return one.ok() && other.ok() && one->host == other->host;
}

bool IsSameOrigin(const std::string& a, const std::string& b) {
  absl::StatusOr<UrlParts> one = SplitUrl(a), other = SplitUrl(b);
  return one.ok() && other.ok() && *one == *other;
}

std::string ShowHost(const UrlParts& parts) {
  bool usual = (parts.scheme == "https" && parts.port == "443") ||
               (parts.scheme == "http" && parts.port == "80");
  std::string host =
      absl::StrContains(parts.host, ':') ? absl::StrCat("[", parts.host, "]") : parts.host;
  return usual ? host : absl::StrCat(host, ":", parts.port);
}

absl::Status CheckHost(absl::string_view host) {
  if (!host.empty() && host.size() <= kMaxHostBytes && AllOf(host, ".-:[]") &&
      SplitUrl(absl::StrCat("https://", host, "/")).ok()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("registry: is no host or host:port");
}

absl::Status CheckRepository(absl::string_view repository) {
  bool good = !repository.empty() && repository.size() <= kMaxRepositoryBytes &&
              AllOf(repository, "._-/") && repository.front() != '/' && repository.back() != '/' &&
              !absl::StrContains(repository, "//") && !absl::StrContains(repository, "..");
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError("repository: is no repository's name");
}

absl::Status CheckTag(absl::string_view tag) {
  if (!tag.empty() && tag.size() <= kMaxTagBytes && AllOf(tag, "._-") && tag.front() != '.' &&
      tag.front() != '-') {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("tag: is no tag");
}

std::string CanonicalHost(absl::string_view host) {
  for (absl::string_view alias : kDockerAliases) {
    if (host == alias) return kDockerName;
  }
  return std::string(host);
}

bool IsRegistryItself(const FetchEndpoint& endpoint, absl::string_view registry) {
  return CanonicalHost(endpoint.host) == CanonicalHost(registry);
}

std::string BaseUrl(const FetchEndpoint& endpoint) {
  return absl::StrCat(endpoint.plain_http ? "http" : "https", "://", HostOf(endpoint),
                      endpoint.path, "/");
}

std::string ContentUrl(const FetchEndpoint& endpoint, absl::string_view registry,
                       absl::string_view repository, absl::string_view kind,
                       absl::string_view reference) {
  std::string url = absl::StrCat(BaseUrl(endpoint), repository, "/", kind, "/", reference);
  if (!registry.empty() && !IsRegistryItself(endpoint, registry)) {
    absl::StrAppend(&url, "?ns=", EscapeQuery(registry));
  }
  return url;
}

absl::Status CheckRedirect(const std::string& from, const std::string& to) {
  absl::StatusOr<UrlParts> before = SplitUrl(from);
  absl::StatusOr<UrlParts> after = SplitUrl(to);
  if (!before.ok() || !after.ok()) {
    return absl::PermissionDeniedError("redirects to what is neither http nor https");
  }
  if (before->scheme == "https" && after->scheme != "https") {
    return absl::PermissionDeniedError("redirects from https to http");
  }
  return absl::OkStatus();
}

std::string EscapeQuery(absl::string_view value) {
  char* text = curl_easy_escape(nullptr, value.data(), static_cast<int>(value.size()));
  std::string out = text ? text : "";
  curl_free(text);
  return out;
}

}  // namespace bulkhead::worker
