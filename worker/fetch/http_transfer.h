#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "worker/fetch/rate_gauge.h"
#include "worker/fetch/request.h"

namespace bulkhead::worker {

// One GET, or a POST of a form. Redirects are not followed: whoever asked decides about each.
struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  // "Name: value"; not for a proxy
  std::string bearer;                // empty: no such Authorization
  std::string username;              // both empty: no Basic Authorization
  std::string password;
  std::string form;                    // not empty: POSTed
  const FetchEndpoint* tls = nullptr;  // whose certificates and rules for them hold; nullptr: the
                                       // system's
  // The host was named by a registry, not by the configuration: may not be this node.
  bool foreign = false;
  bool foreign_may_be_private = true;
  std::string proxy;       // URL; empty: none
  int fd = -1;             // where the body of a 200 or 206 goes; -1: to HttpResponse::body
  uint64_t offset = 0;     // bytes that fd has already: asks for the rest
  uint64_t max_bytes = 0;  // of the whole body, offset included
  absl::Duration timeout;
  RateRule rate;
};

struct HttpResponse {
  CURLcode code = CURLE_OK;
  long status = 0;     // 0: none came
  absl::Status local;  // failures here: over max_bytes, disk full, a forbidden address
  uint64_t bytes = 0;  // in the file or body, those from before included
  std::string body;
  std::string redirect;                 // absolute; empty: none
  std::string content_type;             // without parameters
  std::vector<std::string> challenges;  // each WWW-Authenticate
  absl::Duration retry_after;
  bool too_slow = false;  // ended by the rate rule
};

class HttpTransfer {
 public:
  explicit HttpTransfer(HttpRequest request);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;

  const HttpRequest& request() const { return request_; }
  const HttpResponse& response() const { return response_; }
  // The status that has come so far, while it runs; 0: none.
  long StatusSoFar() const;

 private:
  friend class HttpClient;
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self);
  static size_t OnHeader(char* bytes, size_t size, size_t count, void* self);
  static curl_socket_t OnSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  absl::Status BeginBody(long status);
  absl::Status Take(absl::string_view bytes);
  absl::Status CheckLiteralHost() const;
  void TakeHeader(absl::string_view line);
  void SetHeaders();
  void SetAuthorization();
  void SetTls();
  void SetCallbacks();
  bool CheckRate(absl::Duration now);
  void Finish(CURLcode code);

  HttpRequest request_;
  HttpResponse response_;
  CURL* easy_;
  curl_slist* headers_ = nullptr;
  RateGauge gauge_;
  std::string content_range_;
  bool body_began_ = false;
  uint64_t received_ = 0;  // of the body, by this transfer
  uint64_t discarded_ = 0;
  size_t header_bytes_ = 0;
};

}  // namespace bulkhead::worker
