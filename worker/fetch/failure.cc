#include "worker/fetch/failure.h"

#include <curl/curl.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

absl::StatusCode CodeOf(long status) {
  switch (status) {
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

bool IsTransient(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool MayPass(const HttpResponse& response) {
  if (response.too_slow) return true;
  // Another part than asked for: the next try asks for the whole.
  if (!response.local.ok()) return absl::IsDataLoss(response.local);
  if (response.status == 429 || response.status >= 500) return true;
  return response.code != CURLE_OK && IsTransient(response.code);
}

absl::Status DescribeFailure(const std::string& url, const HttpResponse& response) {
  absl::StatusOr<UrlParts> parts = SplitUrl(url);
  std::string host = parts.ok() ? ShowHost(*parts) : "registry";
  if (!response.local.ok()) return base::Annotate(response.local, host);
  if (response.code == CURLE_FILESIZE_EXCEEDED) {
    return absl::ResourceExhaustedError(absl::StrCat(host, ": sends more than announced"));
  }
  if (response.status != 0 && response.status != 200 && response.status != 206) {
    return absl::Status(CodeOf(response.status), absl::StrCat(host, ": HTTP ", response.status));
  }
  // A fixed text of the library's for each code.
  std::string why = absl::StrCat(host, ": ", curl_easy_strerror(response.code));
  if (response.code == CURLE_OPERATION_TIMEDOUT) return absl::DeadlineExceededError(why);
  return absl::UnavailableError(why);
}

}  // namespace bulkhead::worker
