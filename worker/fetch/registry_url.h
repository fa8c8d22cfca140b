#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::worker {

// Where to ask. Mirrors config.capnp's Endpoint.
struct FetchEndpoint {
  std::string host;     // host[:port]
  bool plain_http = false;
  bool skip_verify = false;
  std::string ca_file;  // empty: the system's authorities
};

struct UrlParts {
  std::string scheme;  // lower case
  std::string host;    // lower case, without brackets
  std::string port;    // the scheme's own where the URL has none
  bool operator==(const UrlParts&) const = default;
};

// INVALID_ARGUMENT: not http or https, or no URL. The message never holds the URL.
absl::StatusOr<UrlParts> SplitUrl(const std::string& url);
// "host" or "host:port" for messages.
std::string ShowHost(const UrlParts& parts);

// INVALID_ARGUMENT unless these are what the distribution specification allows, so that they may
// stand in a URL.
absl::Status CheckHost(absl::string_view host);
absl::Status CheckRepository(absl::string_view repository);
absl::Status CheckTag(absl::string_view tag);

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
