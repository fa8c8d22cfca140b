#pragma once

#include <curl/curl.h>

#include <deque>
#include <vector>

#include "absl/time/time.h"
#include "worker/fetch/http_transfer.h"

namespace bulkhead::worker {

// Runs transfers side by side in one thread.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;

  // The transfer stays the caller's and must live until it was returned by Wait or cancelled.
  void Start(HttpTransfer* transfer);
  void Cancel(HttpTransfer* transfer);
  // The next transfer that has ended, or nullptr when patience is over or something has happened.
  HttpTransfer* Wait(absl::Duration patience);
  // Starts one and waits for just that one; others go on meanwhile.
  void Run(HttpTransfer* transfer);

 private:
  HttpTransfer* TakeEnded(HttpTransfer* wanted);
  void Step(absl::Duration patience);
  void End(HttpTransfer* transfer, CURLcode code);
  void EndSlow();

  CURLM* multi_;
  std::vector<HttpTransfer*> running_;
  std::deque<HttpTransfer*> ended_;
};

}  // namespace bulkhead::worker
