#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::worker {

// Where to ask (registries.capnp's Endpoint).
struct FetchEndpoint {
  std::string host;  // host[:port]
  bool plain_http = false;
  bool skip_verify = false;
  std::string ca;  // PEM, besides the system's authorities
  std::string path = "/v2";
  bool resolve = true;       // may say what a tag is
  bool pull = true;          // may give content by digest
  bool credentials = false;  // gets the pull's credentials although it is not the registry itself
  std::string client_cert;   // PEM; empty: none
  std::string client_key;
  std::vector<std::string> headers;  // "Name: value"
};

struct UrlParts {
  std::string scheme;  // lower case
  std::string host;    // lower case, without brackets
  std::string port;    // the scheme's own where the URL has none
  bool operator==(const UrlParts&) const = default;
};

// INVALID_ARGUMENT: not http or https, or no URL. The message never holds the URL.
absl::StatusOr<UrlParts> SplitUrl(const std::string& url);
// Whether two URLs have one host; scheme and port may differ. Neither: no URL.
bool IsSameHost(const std::string& a, const std::string& b);
// Whether scheme, host and port are all the same: who gets what is meant for one gets it as the
// other.
bool IsSameOrigin(const std::string& a, const std::string& b);
// "host" or "host:port" for messages.
std::string ShowHost(const UrlParts& parts);

// INVALID_ARGUMENT unless these are what the distribution specification allows, so that they may
// stand in a URL.
absl::Status CheckHost(absl::string_view host);
absl::Status CheckRepository(absl::string_view repository);
absl::Status CheckTag(absl::string_view tag);

// Whether the endpoint is where the registry of that name itself answers.
bool IsRegistryItself(const FetchEndpoint& endpoint, absl::string_view registry);
// What docker.io is called elsewhere: all its names become one. Others stay.
std::string CanonicalHost(absl::string_view host);

// "https://host/v2/"; docker.io answers at another name than images have.
std::string BaseUrl(const FetchEndpoint& endpoint);
// kind: "manifests" or "blobs"; reference: a tag or "sha256:<hex>". registry goes to mirrors as
// ns=.
std::string ContentUrl(const FetchEndpoint& endpoint, absl::string_view registry,
                       absl::string_view repository, absl::string_view kind,
                       absl::string_view reference);

// PERMISSION_DENIED: from https to http, or to another scheme.
absl::Status CheckRedirect(const std::string& from, const std::string& to);

// value in the form that a query may hold.
std::string EscapeQuery(absl::string_view value);

}  // namespace bulkhead::worker
