#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bulkhead::tools {

// One place where a registry may be asked. Files are absolute paths.
struct EndpointSettings {
  std::string host;  // host[:port]; empty: the registry itself
  bool plain_http = false;
  bool skip_verify = false;
  std::string path = "/v2";  // before the repository; no slash at the end
  bool resolve = true;       // may be asked what a tag is
  bool pull = true;          // may be asked for content by digest
  bool credentials = false;  // may see the credentials of a pull, as the registry itself may
  std::vector<std::string> ca_files;  // besides the system's
  std::string client_cert;            // empty: none
  std::string client_key;             // empty: in the same file
  std::vector<std::pair<std::string, std::string>> headers;
};

struct RegistrySettings {
  std::vector<EndpointSettings> endpoints;  // tried in order; empty: the registry itself
  std::vector<std::string> token_hosts;     // host[:port]
};

struct PullSettings {
  uint32_t at_once = 4;
  uint32_t deadline_seconds = 3600;
  uint32_t minimum_bytes_per_second = 1024;  // 0: no rule
  uint32_t minimum_window_seconds = 60;
  bool private_redirects = true;
  std::vector<std::string> registry_dirs = {"/etc/bulkhead/certs.d"};
  // Not set: the environment's.
  std::string http_proxy;
  std::string https_proxy;
  std::string no_proxy;
};

}  // namespace bulkhead::tools
