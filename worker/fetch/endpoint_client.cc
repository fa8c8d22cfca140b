#include "worker/fetch/endpoint_client.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/fetch/back_off.h"
#include "worker/fetch/failure.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kMaxSideBySide = 6;
constexpr int kMaxRedirects = 5;
constexpr absl::Duration kPatienceWithFirst = absl::Seconds(1);
constexpr int kMaxSlow = 2;
// A try that brought so much more is not one of those in vain.
constexpr uint64_t kProgressBytes = 256 << 10;

constexpr char kAccept[] =
    "Accept: application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

// Cuts off what is not wanted of earlier tries.
absl::Status KeepFirst(int fd, uint64_t bytes) {
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) return base::ErrnoStatus("truncate");
  if (lseek(fd, static_cast<off_t>(bytes), SEEK_SET) < 0) return base::ErrnoStatus("seek");
  return absl::OkStatus();
}

bool IsRedirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool IsWhole(const HttpResponse& response) {
  return response.code == CURLE_OK && response.local.ok() &&
         (response.status == 200 || response.status == 206);
}

}  // namespace

absl::Status EndpointClient::NamingHost(const absl::Status& status) const {
  absl::StatusOr<UrlParts> own = SplitUrl(BaseUrl(endpoint_));
  return own.ok() ? base::Annotate(status, ShowHost(*own)) : status;
}

std::string EndpointClient::UrlOf(const FetchItem& item) const {
  return ContentUrl(endpoint_, request_.registry, request_.repository,
                    item.is_manifest ? "manifests" : "blobs", item.reference);
}

std::list<EndpointClient::Try> EndpointClient::TriesFor(std::vector<ItemProgress>& items) {
  std::list<Try> tries;
  for (ItemProgress& item : items) {
    if (item.done) continue;
    bool by_digest = absl::StartsWith(item.item->reference, "sha256:");
    if (by_digest ? !endpoint_.pull : !endpoint_.resolve) {
      item.failure = NamingHost(absl::UnavailableError(
          by_digest ? "is not configured to give content" : "is not configured to resolve tags"));
      continue;
    }
    item.failure = absl::OkStatus();
    tries.push_back({.item = &item, .url = UrlOf(*item.item)});
  }
  return tries;
}

HttpRequest EndpointClient::RequestFor(const Try& each) const {
  HttpRequest request;
  request.url = each.url;
  if (each.item->item->is_manifest) request.headers.push_back(kAccept);
  // Credentials and the administrator's word are for this endpoint alone (V1).
  if (IsSameOrigin(each.url, BaseUrl(endpoint_))) {
    authorizer_.Apply(request);
    request.tls = &endpoint_;
    request.headers.insert(request.headers.end(), endpoint_.headers.begin(),
                           endpoint_.headers.end());
  }
  request.foreign = !IsSameHost(each.url, BaseUrl(endpoint_));
  request.foreign_may_be_private = request_.private_redirects;
  absl::StatusOr<UrlParts> to = SplitUrl(each.url);
  if (to.ok()) request.proxy = ProxyFor(request_.proxy, *to);
  request.fd = each.item->item->fd;
  request.offset = each.have;
  request.max_bytes = each.item->item->max_bytes;
  request.timeout = TimeLeft();
  request.rate = request_.rate;
  return request;
}

absl::Status EndpointClient::Begin(Try& each) {
  BULKHEAD_RETURN_IF_ERROR(KeepFirst(each.item->item->fd, each.have));
  each.transfer = std::make_unique<HttpTransfer>(RequestFor(each));
  client_.Start(each.transfer.get());
  return absl::OkStatus();
}

void EndpointClient::BeginDue(std::list<Try>& tries) {
  size_t running = 0;
  for (const Try& each : tries) {
    if (!each.transfer) continue;
    ++running;
    long status = each.transfer->StatusSoFar();
    open_ = open_ || (status >= 200 && status != 401);
  }
  if (running > 0) asked_at_ = std::min(asked_at_, MonotonicNow());
  open_ = open_ || MonotonicNow() - asked_at_ > kPatienceWithFirst;
  size_t limit = open_ ? kMaxSideBySide : 1;
  for (Try& each : tries) {
    if (running >= limit) return;
    if (each.transfer || each.not_before > MonotonicNow()) continue;
    each.item->failure = Begin(each);
    if (each.item->failure.ok()) ++running;
  }
}

bool EndpointClient::Step(std::list<Try>& tries) {
  HttpTransfer* ended = client_.Wait(absl::Milliseconds(200));
  if (ended != nullptr) {
    auto each = std::find_if(tries.begin(), tries.end(), [ended](const Try& candidate) {
      return candidate.transfer.get() == ended;
    });
    std::unique_ptr<HttpTransfer> transfer = std::move(each->transfer);
    open_ = open_ || transfer->response().status != 401;
    each->item->failure = HandleEnd(*each, *transfer);
  }
  bool failed = false;
  for (const Try& each : tries) failed = failed || !each.item->failure.ok();
  tries.remove_if([this](const Try& each) {
    bool over = each.item->done || !each.item->failure.ok();
    if (over && each.transfer) client_.Cancel(each.transfer.get());
    return over;
  });
  return failed;
}

void EndpointClient::Run(std::vector<ItemProgress>& items) {
  std::list<Try> tries = TriesFor(items);
  bool failed = std::any_of(items.begin(), items.end(), [](const ItemProgress& item) {
    return !item.done && !item.failure.ok();
  });
  while (!tries.empty() && !(failed && on_failure_ == OnFailure::kGiveUp)) {
    BeginDue(tries);
    failed = Step(tries) || failed;
    if (TimeLeft() > absl::ZeroDuration()) continue;
    for (Try& each : tries) each.item->failure = absl::DeadlineExceededError("took too long");
    break;
  }
  for (Try& each : tries) {
    if (each.transfer) client_.Cancel(each.transfer.get());
    if (each.item->failure.ok()) each.item->failure = absl::CancelledError("given up");
  }
}

absl::Status EndpointClient::HandleEnd(Try& each, const HttpTransfer& ended) {
  const HttpResponse& response = ended.response();
  if (IsWhole(response)) return HandleSuccess(each, response);
  if (response.local.ok() && IsRedirect(response.status)) return HandleRedirect(each, ended);
  if (response.local.ok() && response.status == 401) return HandleUnauthorized(each, ended);
  return HandleBroken(each, ended);
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

// The first question of all, or a token that has become old.
absl::Status EndpointClient::HandleUnauthorized(Try& each, const HttpTransfer& ended) {
  const std::string& url = ended.request().url;
  absl::Status failure = DescribeFailure(url, ended.response());
  if (each.authorized_anew || !IsSameOrigin(url, BaseUrl(endpoint_))) return failure;
  // Another item may have got what this one was sent without.
  HttpRequest now = RequestFor(each);
  bool asked_with_less = now.bearer != ended.request().bearer ||
                         now.username != ended.request().username ||
                         now.password != ended.request().password;
  if (asked_with_less) return absl::OkStatus();
  each.authorized_anew = true;
  absl::Status answered = authorizer_.Answer(ended.response().challenges);
  if (absl::IsUnauthenticated(answered)) {
    return absl::UnauthenticatedError(
        absl::StrCat(failure.message(), " (", answered.message(), ")"));
  }
  return NamingHost(answered);
}

// Goes on where it broke off, after a pause, unless that has been in vain too often.
absl::Status EndpointClient::HandleBroken(Try& each, const HttpTransfer& ended) {
  const HttpResponse& response = ended.response();
  absl::Status failure = DescribeFailure(ended.request().url, response);
  // The size is known: what follows is not wanted.
  const FetchItem& item = *each.item->item;
  bool complete = !item.is_manifest && response.local.ok() && response.bytes == item.max_bytes;
  if (complete && response.code != CURLE_OK) return HandleSuccess(each, response);
  bool beyond_end = response.status == 416 && each.have > 0;
  if (!MayPass(response) && !beyond_end) return failure;
  if (response.too_slow && ++each.slow == kMaxSlow) return failure;
  uint64_t bytes = response.bytes;
  if (bytes >= each.have + kProgressBytes) each.attempts = 0;
  bool resumable = !item.is_manifest && !absl::IsDataLoss(response.local) && !beyond_end;
  each.have = resumable ? bytes : 0;
  const int most = on_failure_ == OnFailure::kGiveUp ? kMaxAttempts : kMaxAttemptsWithOthers;
  if (++each.attempts >= most) return failure;
  absl::StatusOr<absl::Duration> wait = WaitBefore(each.attempts, response.retry_after, TimeLeft());
  if (!wait.ok()) return failure;
  each.not_before = MonotonicNow() + *wait;
  each.redirects = 0;
  each.url = UrlOf(item);
  return absl::OkStatus();
}

}  // namespace bulkhead::worker
