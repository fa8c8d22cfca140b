#include "worker/fetch/fetch.h"

#include <curl/curl.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/fetch/endpoint_client.h"

namespace bulkhead::worker {
namespace {

absl::Status CheckRequest(const FetchRequest& request) {
  if (request.endpoints.empty()) return absl::InvalidArgumentError("fetch: no endpoint");
  if (request.items.empty()) return absl::InvalidArgumentError("fetch: nothing to fetch");
  for (const FetchEndpoint& endpoint : request.endpoints) {
    BULKHEAD_RETURN_IF_ERROR(CheckHost(endpoint.host));
  }
  BULKHEAD_RETURN_IF_ERROR(CheckHost(request.registry));
  BULKHEAD_RETURN_IF_ERROR(CheckRepository(request.repository));
  for (const FetchItem& item : request.items) {
    bool by_digest = ParseDigest(item.reference).ok();
    if (by_digest) continue;
    if (!item.is_manifest) return absl::InvalidArgumentError("fetch: a blob without a digest");
    BULKHEAD_RETURN_IF_ERROR(CheckTag(item.reference));
  }
  return absl::OkStatus();
}

// The failure of the first item that has one of its own, or was given up because of another's.
absl::Status WorstOf(const std::vector<ItemProgress>& items) {
  absl::Status given_up;
  for (const ItemProgress& item : items) {
    if (item.done) continue;
    if (!absl::IsCancelled(item.failure)) return item.failure;
    given_up = item.failure;
  }
  return given_up;
}

bool AllDone(const std::vector<ItemProgress>& items) {
  for (const ItemProgress& item : items) {
    if (!item.done) return false;
  }
  return true;
}

// The last endpoint's failure, which says most where it is the registry itself, and what was said
// before.
absl::Status Join(const absl::Status& last, const std::string& earlier) {
  if (earlier.empty()) return last;
  return absl::Status(last.code(), absl::StrCat(last.message(), " (before: ", earlier, ")"));
}

}  // namespace

absl::StatusOr<std::vector<Fetched>> Fetch(const FetchRequest& request, RegistryToken* token) {
  BULKHEAD_RETURN_IF_ERROR(CheckRequest(request));
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK) return absl::InternalError("fetch: cannot start the HTTP library");
  std::vector<ItemProgress> items;
  for (const FetchItem& item : request.items) items.push_back({.item = &item});
  std::string earlier;
  for (size_t i = 0; i < request.endpoints.size(); ++i) {
    bool last = i + 1 == request.endpoints.size();
    EndpointClient client(
        request, request.endpoints[i],
        last ? EndpointClient::OnFailure::kGiveUp : EndpointClient::OnFailure::kGoOn);
    client.Run(items);
    if (token != nullptr && client.HasToken()) *token = client.Token();
    if (AllDone(items)) break;
    absl::Status failure = WorstOf(items);
    if (request.deadline.Passed()) failure = absl::DeadlineExceededError(failure.message());
    if (last || request.deadline.Passed()) return Join(failure, earlier);
    absl::StrAppend(&earlier, earlier.empty() ? "" : "; ", failure.message());
  }
  std::vector<Fetched> out;
  for (const ItemProgress& item : items) out.push_back(item.fetched);
  return out;
}

}  // namespace bulkhead::worker
