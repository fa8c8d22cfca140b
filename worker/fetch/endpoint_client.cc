#include "worker/fetch/endpoint_client.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "worker/fetch/failure.h"
#include "worker/fetch/token.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kMaxSideBySide = 6;
constexpr int kMaxAttempts = 3;
constexpr int kMaxRedirects = 5;
constexpr absl::Duration kFirstWait = absl::Milliseconds(500);
constexpr absl::Duration kLongestWait = absl::Seconds(10);
constexpr absl::Duration kSideRequestTimeout = absl::Seconds(30);

constexpr char kAccept[] =
    "Accept: application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

// Counted from the start of the process, so that a step of the wall clock moves nothing.
absl::Duration Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

// A failed try may have left bytes.
absl::Status EmptyFile(int fd) {
  if (ftruncate(fd, 0) != 0) return base::ErrnoStatus("truncate");
  if (lseek(fd, 0, SEEK_SET) != 0) return base::ErrnoStatus("seek");
  return absl::OkStatus();
}

bool IsRedirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool MayPass(const HttpResponse& response) {
  if (!response.local.ok()) return false;
  // It answered and then was too slow: another endpoint may do better, this one will not.
  if (response.status == 200 && response.code == CURLE_OPERATION_TIMEDOUT) return false;
  if (response.status == 429 || response.status >= 500) return true;
  return response.code != CURLE_OK && IsTransient(response.code);
}

}  // namespace

absl::Duration EndpointClient::TimeLeft() const { return request_.deadline.Remaining(); }

bool EndpointClient::IsOwnHost(const std::string& url) const {
  absl::StatusOr<UrlParts> parts = SplitUrl(url);
  absl::StatusOr<UrlParts> own = SplitUrl(BaseUrl(endpoint_));
  return parts.ok() && own.ok() && *parts == *own;
}

// Asks whether the registry is there and wants a token, before many requests learn the same.
absl::Status EndpointClient::Greet() {
  HttpRequest request;
  request.url = BaseUrl(endpoint_);
  request.tls = &endpoint_;
  request.max_bytes = kMaxTokenDocumentBytes;
  for (int attempt = 1;; ++attempt) {
    request.timeout = std::min(kSideRequestTimeout, TimeLeft());
    HttpTransfer transfer(request);
    client_.Run(&transfer);
    const HttpResponse& response = transfer.response();
    if (response.status == 401 && !response.challenge.empty()) {
      return RenewToken(response.challenge);
    }
    // Some mirrors serve contents alone: the items will tell.
    if (response.status > 0 && response.status < 500 && response.status != 429) {
      return absl::OkStatus();
    }
    if (attempt == kMaxAttempts || !MayPass(response) || TimeLeft() < kFirstWait * attempt) {
      return DescribeFailure(request.url, response);
    }
    absl::SleepFor(kFirstWait * attempt);
  }
}

absl::Status EndpointClient::RenewToken(const std::string& header) {
  absl::StatusOr<BearerChallenge> challenge = ParseBearerChallenge(header);
  if (!challenge.ok()) return absl::OkStatus();  // nothing that can be answered anonymously
  absl::StatusOr<UrlParts> own = SplitUrl(BaseUrl(endpoint_));
  BULKHEAD_RETURN_IF_ERROR(own.status());
  absl::StatusOr<std::string> url = TokenUrl(*challenge, endpoint_, request_.repository);
  if (!url.ok()) return base::Annotate(url.status(), ShowHost(*own));
  HttpRequest request;
  request.url = *url;
  absl::StatusOr<UrlParts> realm = SplitUrl(*url);
  BULKHEAD_RETURN_IF_ERROR(realm.status());
  request.foreign = realm->host != own->host;
  if (!request.foreign) request.tls = &endpoint_;
  request.max_bytes = kMaxTokenDocumentBytes;
  request.timeout = std::min(kSideRequestTimeout, TimeLeft());
  HttpTransfer transfer(request);
  client_.Run(&transfer);
  const HttpResponse& response = transfer.response();
  if (response.code != CURLE_OK || response.status != 200) {
    return DescribeFailure(request.url, response);
  }
  absl::StatusOr<std::string> token = ParseToken(response.body);
  if (!token.ok()) {
    return absl::UnavailableError(absl::StrCat(ShowHost(*realm), ": gave no token"));
  }
  token_ = *std::move(token);
  return absl::OkStatus();
}

HttpRequest EndpointClient::RequestFor(const Try& each) const {
  HttpRequest request;
  request.url = each.url;
  if (each.item->item->is_manifest) request.headers.push_back(kAccept);
  // The token and the administrator's word about certificates are for this endpoint alone.
  if (IsOwnHost(each.url)) {
    request.bearer = token_;
    request.tls = &endpoint_;
  }
  absl::StatusOr<UrlParts> parts = SplitUrl(each.url);
  absl::StatusOr<UrlParts> own = SplitUrl(BaseUrl(endpoint_));
  request.foreign = !parts.ok() || !own.ok() || parts->host != own->host;
  request.fd = each.item->item->fd;
  request.max_bytes = each.item->item->max_bytes;
  request.timeout = TimeLeft();
  request.minimum_speed = request_.minimum_speed;
  return request;
}

absl::Status EndpointClient::Begin(Try& each) {
  BULKHEAD_RETURN_IF_ERROR(EmptyFile(each.item->item->fd));
  each.transfer = std::make_unique<HttpTransfer>(RequestFor(each));
  client_.Start(each.transfer.get());
  return absl::OkStatus();
}

void EndpointClient::BeginDue(std::list<Try>& tries) {
  size_t running = std::count_if(tries.begin(), tries.end(),
                                 [](const Try& each) { return each.transfer != nullptr; });
  for (Try& each : tries) {
    if (running == kMaxSideBySide) return;
    if (each.transfer || each.not_before > Now()) continue;
    each.item->failure = Begin(each);
    if (each.item->failure.ok()) ++running;
  }
  tries.remove_if([](const Try& each) { return !each.item->failure.ok(); });
}

void EndpointClient::Run(std::vector<ItemProgress>& items, OnFailure on_failure) {
  absl::Status greeting = Greet();
  std::list<Try> tries;
  for (ItemProgress& item : items) {
    if (item.done) continue;
    item.failure = greeting;
    if (!greeting.ok()) continue;
    tries.push_back({.item = &item});
    tries.back().url =
        ContentUrl(endpoint_, request_.registry, request_.repository,
                   item.item->is_manifest ? "manifests" : "blobs", item.item->reference);
  }
  bool failed = false;
  while (!tries.empty() && !(failed && on_failure == OnFailure::kGiveUp)) {
    size_t before = tries.size();
    BeginDue(tries);
    failed = failed || tries.size() < before;
    HttpTransfer* ended = client_.Wait(absl::Milliseconds(200));
    if (ended == nullptr) {
      if (TimeLeft() > absl::ZeroDuration()) continue;
      for (Try& each : tries) each.item->failure = absl::DeadlineExceededError("took too long");
      break;
    }
    auto each = std::find_if(tries.begin(), tries.end(), [ended](const Try& candidate) {
      return candidate.transfer.get() == ended;
    });
    std::unique_ptr<HttpTransfer> transfer = std::move(each->transfer);
    each->item->failure = HandleEnd(*each, *transfer);
    failed = failed || !each->item->failure.ok();
    if (each->item->done || !each->item->failure.ok()) tries.erase(each);
  }
  for (Try& each : tries) {
    if (each.transfer) client_.Cancel(each.transfer.get());
    if (each.item->failure.ok()) each.item->failure = absl::CancelledError("given up");
  }
}

absl::Status EndpointClient::HandleEnd(Try& each, const HttpTransfer& ended) {
  const HttpResponse& response = ended.response();
  if (response.code == CURLE_OK && response.status == 200) return HandleSuccess(each, response);
  if (IsRedirect(response.status)) return HandleRedirect(each, ended);
  if (response.status == 401) return HandleUnauthorized(each, ended);
  absl::Status failure = DescribeFailure(ended.request().url, response);
  if (!MayPass(response)) return failure;
  return RetryOr(each, response.retry_after, failure);
}

absl::Status EndpointClient::HandleSuccess(Try& each, const HttpResponse& response) {
  each.item->done = true;
  each.item->fetched.bytes = response.bytes;
  if (each.item->item->is_manifest) {
    each.item->fetched.media_type = ParseMediaType(response.content_type);
  }
  return absl::OkStatus();
}

absl::Status EndpointClient::HandleRedirect(Try& each, const HttpTransfer& ended) {
  const std::string& from = ended.request().url;
  absl::StatusOr<UrlParts> host = SplitUrl(from);
  BULKHEAD_RETURN_IF_ERROR(host.status());
  if (++each.redirects > kMaxRedirects) {
    return absl::UnavailableError(absl::StrCat(ShowHost(*host), ": redirects too often"));
  }
  absl::Status allowed = CheckRedirect(from, ended.response().redirect);
  if (!allowed.ok()) return base::Annotate(allowed, ShowHost(*host));
  each.url = ended.response().redirect;
  return absl::OkStatus();
}

// A token lives for minutes; a long job may need another one.
absl::Status EndpointClient::HandleUnauthorized(Try& each, const HttpTransfer& ended) {
  const std::string& url = ended.request().url;
  absl::Status failure = DescribeFailure(url, ended.response());
  if (each.token_renewed || !IsOwnHost(url) || ended.response().challenge.empty()) return failure;
  each.token_renewed = true;
  return RenewToken(ended.response().challenge);
}

absl::Status EndpointClient::RetryOr(Try& each, absl::Duration wait, absl::Status failure) {
  if (++each.attempts == kMaxAttempts) return failure;
  wait = std::clamp(wait, kFirstWait * (1 << (each.attempts - 1)), kLongestWait);
  if (TimeLeft() < wait) return failure;
  each.not_before = Now() + wait;
  each.redirects = 0;
  each.url = ContentUrl(endpoint_, request_.registry, request_.repository,
                        each.item->item->is_manifest ? "manifests" : "blobs",
                        each.item->item->reference);
  return absl::OkStatus();
}

}  // namespace bulkhead::worker
