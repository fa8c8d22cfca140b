#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "worker/fetch/registry_url.h"

namespace bulkhead::worker {

// HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as curl and Go programs mean them.
struct ProxyRules {
  std::string http;   // URL of the proxy for http requests; empty: none
  std::string https;  // the same for https
  std::string
      none;  // hosts without: "a.b" (and below), ".a.b" (below), IP, CIDR, any with ":port"; "*"
};

// The proxy for a request to there; empty: none. A host of this node has none.
std::string ProxyFor(const ProxyRules& rules, const UrlParts& to);

}  // namespace bulkhead::worker
