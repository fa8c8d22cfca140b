#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/fetch/authorizer.h"
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

// Asks one endpoint for items: authorization, redirects, retries, all side by side.
class EndpointClient {
 public:
  enum class OnFailure { kGoOn, kGiveUp };
  EndpointClient(const FetchRequest& request, const FetchEndpoint& endpoint, OnFailure on_failure)
      : request_(request),
        endpoint_(endpoint),
        on_failure_(on_failure),
        authorizer_(request, endpoint, client_) {}

  // Tries every item that is not done, and leaves in each either done or its failure. kGiveUp: one
  // failed item ends the rest, as the whole job has failed then.
  void Run(std::vector<ItemProgress>& items);

  bool HasToken() const { return authorizer_.HasToken(); }
  RegistryToken Token() const { return authorizer_.Token(); }

 private:
  // One try of one item, through its redirects.
  struct Try {
    ItemProgress* item;
    std::string url;
    uint64_t have = 0;  // bytes that the file holds from earlier tries
    int attempts = 0;   // that brought nothing worth mentioning, in a row
    int slow = 0;       // ended by the rate rule
    int redirects = 0;
    bool authorized_anew = false;
    absl::Duration not_before;               // on MonotonicNow's clock
    std::unique_ptr<HttpTransfer> transfer;  // while it runs
  };

  std::list<Try> TriesFor(std::vector<ItemProgress>& items);
  std::string UrlOf(const FetchItem& item) const;
  absl::Status Begin(Try& each);
  void BeginDue(std::list<Try>& tries);
  // True: an item has failed.
  bool Step(std::list<Try>& tries);
  HttpRequest RequestFor(const Try& each) const;
  // OK: the try goes on (again, redirected, later) or is done; else it has failed here.
  absl::Status HandleEnd(Try& each, const HttpTransfer& ended);
  absl::Status HandleSuccess(Try& each, const HttpResponse& response);
  absl::Status HandleRedirect(Try& each, const HttpTransfer& ended);
  absl::Status HandleUnauthorized(Try& each, const HttpTransfer& ended);
  absl::Status HandleBroken(Try& each, const HttpTransfer& ended);
  absl::Status NamingHost(const absl::Status& status) const;
  absl::Duration TimeLeft() const { return request_.deadline.Remaining(); }

  const FetchRequest& request_;
  const FetchEndpoint& endpoint_;
  OnFailure on_failure_;
  HttpClient client_;
  Authorizer authorizer_;
  // Whether it has answered something else than 401, or takes its time. Until then one request alone
  // asks, so that not all learn the same.
  bool open_ = false;
  absl::Duration asked_at_ = absl::InfiniteDuration();  // on MonotonicNow's clock
};

}  // namespace bulkhead::worker
