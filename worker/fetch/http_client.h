#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "worker/fetch/registry_url.h"

namespace bulkhead::worker {

// One GET. Redirects are not followed: whoever asked decides about each.
struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;
  std::string bearer;          // empty: no Authorization
  const FetchEndpoint* tls = nullptr;  // whose rules for certificates hold; nullptr: the system's
  // The host was named by a registry, not by the configuration: may not be this node.
  bool foreign = false;
  int fd = -1;                 // where the body of a 200 goes; -1: to HttpResponse::body
  uint64_t max_bytes = 0;      // of that body
  absl::Duration timeout;
  uint32_t minimum_speed = 0;  // bytes per second over 30 s; 0: no rule
};

struct HttpResponse {
  CURLcode code = CURLE_OK;
  long status = 0;             // 0: none came
  absl::Status local;          // failures here: over max_bytes, disk full, a forbidden address
  uint64_t bytes = 0;
  std::string body;
  std::string redirect;        // absolute; empty: none
  std::string content_type;    // without parameters
  std::string challenge;       // WWW-Authenticate: Bearer
  absl::Duration retry_after;
};

class HttpTransfer {
 public:
  explicit HttpTransfer(HttpRequest request);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;

  const HttpRequest& request() const { return request_; }
  const HttpResponse& response() const { return response_; }

 private:
  friend class HttpClient;
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self);
  static size_t OnHeader(char* bytes, size_t size, size_t count, void* self);
  static curl_socket_t OnSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  absl::Status Take(absl::string_view bytes);
  void SetTls();
  void Finish(CURLcode code);

  HttpRequest request_;
  HttpResponse response_;
  CURL* easy_;
  curl_slist* headers_ = nullptr;
  uint64_t discarded_ = 0;
};

// Runs transfers side by side in one thread.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;

  // The transfer stays the caller's and must live until it was returned by Wait or cancelled.
  void Start(HttpTransfer* transfer);
  void Cancel(HttpTransfer* transfer);
  // The next transfer that has ended, or nullptr when patience is over.
  HttpTransfer* Wait(absl::Duration patience);
  // Starts one and waits for just that one; others go on meanwhile.
  void Run(HttpTransfer* transfer);

 private:
  HttpTransfer* TakeEnded(HttpTransfer* wanted);
  void Step(absl::Duration patience);

  CURLM* multi_;
  std::deque<HttpTransfer*> ended_;
};

}  // namespace bulkhead::worker
