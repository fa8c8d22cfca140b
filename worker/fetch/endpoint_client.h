#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/fetch/fetch.h"
#include "worker/fetch/http_client.h"

namespace bulkhead::worker {

// One item on its way; lives over all endpoints.
struct ItemProgress {
  const FetchItem* item = nullptr;
  bool done = false;
  Fetched fetched;
  absl::Status failure;  // at the last endpoint that was asked
};

// Asks one endpoint for items: token, redirects, retries, all side by side.
class EndpointClient {
 public:
  EndpointClient(const FetchRequest& request, const FetchEndpoint& endpoint)
      : request_(request), endpoint_(endpoint) {}

  enum class OnFailure { kGoOn, kGiveUp };
  // Tries every item that is not done, and leaves in each either done or its failure. kGiveUp: one
  // failed item ends the rest, as the whole job has failed then.
  void Run(std::vector<ItemProgress>& items, OnFailure on_failure);

 private:
  // One try of one item, through its redirects.
  struct Try {
    ItemProgress* item;
    int attempts = 0;
    int redirects = 0;
    bool token_renewed = false;
    absl::Duration not_before;  // on Now()'s clock
    std::string url;
    std::unique_ptr<HttpTransfer> transfer;  // while it runs
  };

  absl::Status Greet();
  absl::Status RenewToken(const std::string& challenge);
  absl::Status Begin(Try& each);
  void BeginDue(std::list<Try>& tries);
  HttpRequest RequestFor(const Try& each) const;
  bool IsOwnHost(const std::string& url) const;
  // OK: the try goes on (again, redirected, later) or is done; else it has failed here.
  absl::Status HandleEnd(Try& each, const HttpTransfer& ended);
  absl::Status HandleSuccess(Try& each, const HttpResponse& response);
  absl::Status HandleRedirect(Try& each, const HttpTransfer& ended);
  absl::Status HandleUnauthorized(Try& each, const HttpTransfer& ended);
  absl::Status RetryOr(Try& each, absl::Duration wait, absl::Status failure);
  absl::Duration TimeLeft() const;

  const FetchRequest& request_;
  const FetchEndpoint& endpoint_;
  HttpClient client_;
  std::string token_;
};

}  // namespace bulkhead::worker
