#include "worker/fetch/http_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/fs.h"
#include "base/status.h"
#include "worker/fetch/address.h"

namespace bulkhead::worker {
namespace {

constexpr long kConnectSeconds = 15;
constexpr long kSlowSeconds = 30;
constexpr absl::Duration kLongest = absl::Hours(24);
constexpr long kBufferBytes = 256 << 10;
constexpr uint64_t kMaxDiscardedBytes = 1 << 20;  // of an error page, to keep the connection
constexpr size_t kMaxHeaderBytes = 8 << 10;
constexpr char kUserAgent[] = "bulkhead/0.1";
constexpr absl::string_view kChallengeHeader = "www-authenticate:";

template <typename Value>
void Set(CURL* easy, CURLoption option, Value value) {
  // A rule that cannot be set must not be missing.
  if (curl_easy_setopt(easy, option, value) != CURLE_OK) abort();
}

}  // namespace

HttpTransfer::HttpTransfer(HttpRequest request)
    : request_(std::move(request)), easy_(curl_easy_init()) {
  if (easy_ == nullptr) abort();
  Set(easy_, CURLOPT_PRIVATE, this);
  Set(easy_, CURLOPT_URL, request_.url.c_str());
  Set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  Set(easy_, CURLOPT_PROXY, "");
  Set(easy_, CURLOPT_NOSIGNAL, 1L);
  Set(easy_, CURLOPT_USERAGENT, kUserAgent);
  // The simpler protocol: the bytes come as fast, and no compressed headers are parsed.
  Set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(easy_, CURLOPT_BUFFERSIZE, kBufferBytes);
  Set(easy_, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  Set(easy_, CURLOPT_TIMEOUT_MS,
      static_cast<long>(absl::ToInt64Milliseconds(
          std::clamp(request_.timeout, absl::Milliseconds(1), kLongest))));
  if (request_.minimum_speed > 0) {
    Set(easy_, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(request_.minimum_speed));
    Set(easy_, CURLOPT_LOW_SPEED_TIME, kSlowSeconds);
  }
  for (const std::string& header : request_.headers) {
    headers_ = curl_slist_append(headers_, header.c_str());
  }
  if (headers_ != nullptr) Set(easy_, CURLOPT_HTTPHEADER, headers_);
  if (!request_.bearer.empty()) {
    Set(easy_, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
    Set(easy_, CURLOPT_XOAUTH2_BEARER, request_.bearer.c_str());
  }
  Set(easy_, CURLOPT_WRITEFUNCTION, &HttpTransfer::OnBody);
  Set(easy_, CURLOPT_WRITEDATA, this);
  Set(easy_, CURLOPT_HEADERFUNCTION, &HttpTransfer::OnHeader);
  Set(easy_, CURLOPT_HEADERDATA, this);
  Set(easy_, CURLOPT_OPENSOCKETFUNCTION, &HttpTransfer::OnSocket);
  Set(easy_, CURLOPT_OPENSOCKETDATA, this);
  SetTls();
}

HttpTransfer::~HttpTransfer() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
}

void HttpTransfer::SetTls() {
  Set(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (request_.tls == nullptr) return;
  if (request_.tls->skip_verify) {
    Set(easy_, CURLOPT_SSL_VERIFYPEER, 0L);
    Set(easy_, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!request_.tls->ca_file.empty()) {
    Set(easy_, CURLOPT_CAINFO, request_.tls->ca_file.c_str());
  }
}

absl::Status HttpTransfer::Take(absl::string_view bytes) {
  if (bytes.size() > request_.max_bytes - response_.bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("sends more than ", request_.max_bytes, " bytes"));
  }
  response_.bytes += bytes.size();
  if (request_.fd >= 0) return base::WriteAll(request_.fd, bytes);
  response_.body.append(bytes.data(), bytes.size());
  return absl::OkStatus();
}

// Returning another number than came ends the transfer.
size_t HttpTransfer::OnBody(char* bytes, size_t size, size_t count, void* self) {
  auto* transfer = static_cast<HttpTransfer*>(self);
  long status = 0;
  curl_easy_getinfo(transfer->easy_, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    transfer->discarded_ += size * count;
    return transfer->discarded_ > kMaxDiscardedBytes ? 0 : size * count;
  }
  transfer->response_.local = transfer->Take(absl::string_view(bytes, size * count));
  return transfer->response_.local.ok() ? size * count : 0;
}

size_t HttpTransfer::OnHeader(char* bytes, size_t size, size_t count, void* self) {
  absl::string_view line(bytes, size * count);
  if (absl::StartsWithIgnoreCase(line, kChallengeHeader) && line.size() <= kMaxHeaderBytes) {
    absl::string_view value = absl::StripAsciiWhitespace(line.substr(kChallengeHeader.size()));
    if (absl::StartsWithIgnoreCase(value, "bearer ")) {
      static_cast<HttpTransfer*>(self)->response_.challenge = std::string(value);
    }
  }
  return size * count;
}

// Where the connection really goes, after name resolution: a name proves nothing.
curl_socket_t HttpTransfer::OnSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto* transfer = static_cast<HttpTransfer*>(self);
  if (transfer->request_.foreign && IsOwnOrLinkLocal(address->addr)) {
    transfer->response_.local =
        absl::PermissionDeniedError("was named by a registry and is at an address of this node");
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void HttpTransfer::Finish(CURLcode code) {
  response_.code = code;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &response_.status);
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

HttpClient::HttpClient() : multi_(curl_multi_init()) {
  if (multi_ == nullptr) abort();
}

HttpClient::~HttpClient() { curl_multi_cleanup(multi_); }

void HttpClient::Start(HttpTransfer* transfer) {
  if (curl_multi_add_handle(multi_, transfer->easy_) != CURLM_OK) abort();
}

void HttpClient::Cancel(HttpTransfer* transfer) {
  curl_multi_remove_handle(multi_, transfer->easy_);
  std::erase(ended_, transfer);
}

void HttpClient::Step(absl::Duration patience) {
  int running = 0;
  curl_multi_perform(multi_, &running);
  int left = 0;
  const size_t before = ended_.size();
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    CURLcode code = message->data.result;
    HttpTransfer* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    curl_multi_remove_handle(multi_, easy);
    transfer->Finish(code);
    ended_.push_back(transfer);
  }
  if (ended_.size() > before) return;
  curl_multi_poll(multi_, nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(patience)),
                  nullptr);
}

HttpTransfer* HttpClient::TakeEnded(HttpTransfer* wanted) {
  auto found = wanted == nullptr ? ended_.begin() : std::find(ended_.begin(), ended_.end(), wanted);
  if (found == ended_.end()) return nullptr;
  HttpTransfer* out = *found;
  ended_.erase(found);
  return out;
}

HttpTransfer* HttpClient::Wait(absl::Duration patience) {
  if (HttpTransfer* ended = TakeEnded(nullptr)) return ended;
  Step(std::clamp(patience, absl::ZeroDuration(), absl::Seconds(1)));
  return TakeEnded(nullptr);
}

void HttpClient::Run(HttpTransfer* transfer) {
  Start(transfer);
  while (TakeEnded(transfer) == nullptr) Step(absl::Milliseconds(100));
}

}  // namespace bulkhead::worker
