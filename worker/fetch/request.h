#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/deadline.h"
#include "worker/fetch/proxy.h"
#include "worker/fetch/registry_url.h"

namespace bulkhead::worker {

// A pull's credentials (registries.capnp's RegistryAuth). All empty: none.
struct Credentials {
  std::string username;
  std::string password;
  std::string identity_token;
  std::string registry_token;
  std::string server;  // host[:port] that they are for; empty: the registry of the reference
  bool empty() const {
    return username.empty() && password.empty() && identity_token.empty() && registry_token.empty();
  }
};

// What a token service gave for an endpoint.
struct RegistryToken {
  std::string host;  // the endpoint's; empty: none
  std::string text;
};

// A transfer that brings fewer bytes than this in a whole window is ended, however often a byte
// comes.
struct RateRule {
  uint32_t bytes_per_second = 0;  // 0: no rule
  absl::Duration window = absl::Seconds(60);
};

struct FetchItem {
  bool is_manifest = false;
  std::string reference;   // a tag (manifests alone) or "sha256:<hex>"
  uint64_t max_bytes = 0;  // of a blob: its size
  int fd = -1;             // regular, writable; stays the caller's
};

struct FetchRequest {
  std::vector<FetchEndpoint> endpoints;  // tried in order
  std::string registry;                  // the name in the image's reference
  std::string repository;
  std::vector<FetchItem> items;
  base::Deadline deadline = base::Deadline::Never();
  RateRule rate;
  Credentials auth;
  RegistryToken token;                   // from an earlier fetch of the same image
  std::vector<std::string> token_hosts;  // host[:port] that may see auth besides the registry
  ProxyRules proxy;
  bool private_redirects = true;  // whether a registry may send to private addresses
};

}  // namespace bulkhead::worker
