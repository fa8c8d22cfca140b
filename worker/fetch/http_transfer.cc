#include "worker/fetch/http_transfer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/fs.h"
#include "base/status.h"
#include "worker/fetch/address.h"

namespace bulkhead::worker {
namespace {

constexpr long kConnectSeconds = 15;
constexpr absl::Duration kLongest = absl::Hours(24);
constexpr long kBufferBytes = 256 << 10;
constexpr uint64_t kMaxDiscardedBytes = 1 << 20;  // of an error page, to keep the connection
constexpr size_t kMaxHeaderBytes = 128 << 10;     // of all header lines of one transfer
constexpr size_t kMaxChallengeBytes = 8 << 10;
constexpr size_t kMaxChallengeHeaders = 8;
constexpr char kUserAgent[] = "bulkhead/0.1";
constexpr absl::string_view kChallengeHeader = "www-authenticate:";
constexpr absl::string_view kRangeHeader = "content-range:";

template <typename Value>
void Set(CURL* easy, CURLoption option, Value value) {
  // A rule that cannot be set must not be missing.
  if (curl_easy_setopt(easy, option, value) != CURLE_OK) abort();
}

// text must live as long as the handle.
void SetBlob(CURL* easy, CURLoption option, const std::string& text) {
  curl_blob blob = {const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY};
  Set(easy, option, &blob);
}

bool IsBodyStatus(long status) { return status == 200 || status == 206; }

// "bytes 100-199/200": where it begins. -1: malformed.
int64_t RangeStart(absl::string_view value) {
  int64_t start = -1;
  if (!absl::ConsumePrefix(&value, "bytes ")) return -1;
  if (!absl::SimpleAtoi(value.substr(0, value.find('-')), &start)) return -1;
  return start;
}

}  // namespace

HttpTransfer::HttpTransfer(HttpRequest request)
    : request_(std::move(request)), easy_(curl_easy_init()), gauge_(request_.rate) {
  if (easy_ == nullptr) abort();
  response_.bytes = request_.offset;
  Set(easy_, CURLOPT_PRIVATE, this);
  Set(easy_, CURLOPT_URL, request_.url.c_str());
  Set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  // Not the environment's: the administrator's word came with the job.
  Set(easy_, CURLOPT_PROXY, request_.proxy.c_str());
  Set(easy_, CURLOPT_NOPROXY, "");
  Set(easy_, CURLOPT_NOSIGNAL, 1L);
  Set(easy_, CURLOPT_USERAGENT, kUserAgent);
  // The simpler protocol: the bytes come as fast, and no compressed headers are parsed.
  Set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(easy_, CURLOPT_BUFFERSIZE, kBufferBytes);
  Set(easy_, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  Set(easy_, CURLOPT_TIMEOUT_MS,
      static_cast<long>(absl::ToInt64Milliseconds(
          std::clamp(request_.timeout, absl::Milliseconds(1), kLongest))));
  if (!request_.form.empty()) Set(easy_, CURLOPT_POSTFIELDS, request_.form.c_str());
  SetHeaders();
  SetAuthorization();
  SetTls();
  SetCallbacks();
}

HttpTransfer::~HttpTransfer() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
}

void HttpTransfer::SetHeaders() {
  for (const std::string& header : request_.headers) {
    headers_ = curl_slist_append(headers_, header.c_str());
  }
  if (request_.offset > 0) {
    headers_ =
        curl_slist_append(headers_, absl::StrCat("Range: bytes=", request_.offset, "-").c_str());
  }
  if (headers_ != nullptr) Set(easy_, CURLOPT_HTTPHEADER, headers_);
  Set(easy_, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
}

void HttpTransfer::SetAuthorization() {
  if (!request_.bearer.empty()) {
    Set(easy_, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
    Set(easy_, CURLOPT_XOAUTH2_BEARER, request_.bearer.c_str());
  } else if (!request_.username.empty() || !request_.password.empty()) {
    Set(easy_, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    Set(easy_, CURLOPT_USERNAME, request_.username.c_str());
    Set(easy_, CURLOPT_PASSWORD, request_.password.c_str());
  }
}

void HttpTransfer::SetTls() {
  Set(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (request_.tls == nullptr) return;
  if (request_.tls->skip_verify) {
    Set(easy_, CURLOPT_SSL_VERIFYPEER, 0L);
    Set(easy_, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!request_.tls->ca.empty()) SetBlob(easy_, CURLOPT_CAINFO_BLOB, request_.tls->ca);
  if (!request_.tls->client_cert.empty()) {
    SetBlob(easy_, CURLOPT_SSLCERT_BLOB, request_.tls->client_cert);
    SetBlob(easy_, CURLOPT_SSLKEY_BLOB, request_.tls->client_key);
  }
}

void HttpTransfer::SetCallbacks() {
  Set(easy_, CURLOPT_WRITEFUNCTION, &HttpTransfer::OnBody);
  Set(easy_, CURLOPT_WRITEDATA, this);
  Set(easy_, CURLOPT_HEADERFUNCTION, &HttpTransfer::OnHeader);
  Set(easy_, CURLOPT_HEADERDATA, this);
  Set(easy_, CURLOPT_OPENSOCKETFUNCTION, &HttpTransfer::OnSocket);
  Set(easy_, CURLOPT_OPENSOCKETDATA, this);
}

long HttpTransfer::StatusSoFar() const {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

// Who was asked for the rest may send all the same the whole.
absl::Status HttpTransfer::BeginBody(long status) {
  body_began_ = true;
  if (status == 206) {
    if (RangeStart(content_range_) == static_cast<int64_t>(request_.offset)) {
      return absl::OkStatus();
    }
    return absl::DataLossError("sends another part than asked for");
  }
  response_.bytes = 0;
  if (request_.fd < 0) return absl::OkStatus();
  if (ftruncate(request_.fd, 0) != 0) return base::ErrnoStatus("truncate");
  if (lseek(request_.fd, 0, SEEK_SET) != 0) return base::ErrnoStatus("seek");
  return absl::OkStatus();
}

absl::Status HttpTransfer::Take(absl::string_view bytes) {
  if (bytes.size() > request_.max_bytes - response_.bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("sends more than ", request_.max_bytes, " bytes"));
  }
  if (request_.fd >= 0) BULKHEAD_RETURN_IF_ERROR(base::WriteAll(request_.fd, bytes));
  response_.bytes += bytes.size();
  received_ += bytes.size();
  if (request_.fd < 0) response_.body.append(bytes.data(), bytes.size());
  return absl::OkStatus();
}

// Returning another number than came ends the transfer.
size_t HttpTransfer::OnBody(char* bytes, size_t size, size_t count, void* self) {
  auto* transfer = static_cast<HttpTransfer*>(self);
  long status = transfer->StatusSoFar();
  if (!IsBodyStatus(status)) {
    transfer->discarded_ += size * count;
    return transfer->discarded_ > kMaxDiscardedBytes ? 0 : size * count;
  }
  absl::Status& local = transfer->response_.local;
  if (!transfer->body_began_) local = transfer->BeginBody(status);
  if (local.ok()) local = transfer->Take(absl::string_view(bytes, size * count));
  return local.ok() ? size * count : 0;
}

size_t HttpTransfer::OnHeader(char* bytes, size_t size, size_t count, void* self) {
  auto* transfer = static_cast<HttpTransfer*>(self);
  transfer->header_bytes_ += size * count;
  if (transfer->header_bytes_ > kMaxHeaderBytes) {
    transfer->response_.local = absl::ResourceExhaustedError("sends headers without end");
    return 0;
  }
  transfer->TakeHeader(absl::string_view(bytes, size * count));
  return size * count;
}

void HttpTransfer::TakeHeader(absl::string_view line) {
  if (absl::StartsWithIgnoreCase(line, kRangeHeader)) {
    content_range_ = std::string(absl::StripAsciiWhitespace(line.substr(kRangeHeader.size())));
  }
  if (absl::StartsWithIgnoreCase(line, kChallengeHeader) && line.size() <= kMaxChallengeBytes &&
      response_.challenges.size() < kMaxChallengeHeaders) {
    response_.challenges.emplace_back(
        absl::StripAsciiWhitespace(line.substr(kChallengeHeader.size())));
  }
}

// Where the connection really goes, after name resolution: a name proves nothing. What goes through
// a proxy is looked at by CheckLiteralHost.
curl_socket_t HttpTransfer::OnSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto* transfer = static_cast<HttpTransfer*>(self);
  const HttpRequest& request = transfer->request_;
  if (request.foreign && request.proxy.empty()) {
    transfer->response_.local = CheckForeign(address->addr, request.foreign_may_be_private);
    if (!transfer->response_.local.ok()) return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

absl::Status HttpTransfer::CheckLiteralHost() const {
  if (!request_.foreign || request_.proxy.empty()) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(UrlParts parts, SplitUrl(request_.url));
  return CheckForeignName(parts.host, request_.foreign_may_be_private);
}

bool HttpTransfer::CheckRate(absl::Duration now) {
  if (!gauge_.TooSlow(now, received_)) return true;
  response_.too_slow = true;
  response_.local = absl::DeadlineExceededError(
      absl::StrCat("sends fewer than ", request_.rate.bytes_per_second, " bytes a second"));
  return false;
}

void HttpTransfer::Finish(CURLcode code) {
  response_.code = code;
  response_.status = StatusSoFar();
  // A body without a byte began nowhere.
  if (code == CURLE_OK && IsBodyStatus(response_.status) && !body_began_) {
    response_.local = BeginBody(response_.status);
  }
  char* text = nullptr;
  if (curl_easy_getinfo(easy_, CURLINFO_REDIRECT_URL, &text) == CURLE_OK && text != nullptr) {
    response_.redirect = text;
  }
  text = nullptr;
  if (curl_easy_getinfo(easy_, CURLINFO_CONTENT_TYPE, &text) == CURLE_OK && text != nullptr) {
    absl::string_view type = text;
    type = absl::StripAsciiWhitespace(type.substr(0, type.find(';')));
    response_.content_type = std::string(type);
  }
  curl_off_t seconds = 0;
  curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &seconds);
  response_.retry_after = absl::Seconds(seconds);
}

}  // namespace bulkhead::worker
