#include "worker/fetch/http_client.h"

#include <algorithm>
#include <cstdlib>

namespace bulkhead::worker {

HttpClient::HttpClient() : multi_(curl_multi_init()) {
  if (multi_ == nullptr) abort();
}

HttpClient::~HttpClient() { curl_multi_cleanup(multi_); }

void HttpClient::Start(HttpTransfer* transfer) {
  transfer->response_.local = transfer->CheckLiteralHost();
  if (!transfer->response_.local.ok()) {
    ended_.push_back(transfer);
    return;
  }
  if (curl_multi_add_handle(multi_, transfer->easy_) != CURLM_OK) abort();
  running_.push_back(transfer);
}

void HttpClient::Cancel(HttpTransfer* transfer) {
  curl_multi_remove_handle(multi_, transfer->easy_);
  std::erase(running_, transfer);
  std::erase(ended_, transfer);
}

void HttpClient::End(HttpTransfer* transfer, CURLcode code) {
  curl_multi_remove_handle(multi_, transfer->easy_);
  std::erase(running_, transfer);
  transfer->Finish(code);
  ended_.push_back(transfer);
}

void HttpClient::EndSlow() {
  absl::Duration now = MonotonicNow();
  std::vector<HttpTransfer*> slow;
  for (HttpTransfer* transfer : running_) {
    if (!transfer->CheckRate(now)) slow.push_back(transfer);
  }
  for (HttpTransfer* transfer : slow) End(transfer, CURLE_OPERATION_TIMEDOUT);
}

void HttpClient::Step(absl::Duration patience) {
  int running = 0;
  curl_multi_perform(multi_, &running);
  int left = 0;
  const size_t before = ended_.size();
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode code = message->data.result;
    HttpTransfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    End(transfer, code);
  }
  EndSlow();
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
