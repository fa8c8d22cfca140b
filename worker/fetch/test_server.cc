#include "worker/fetch/test_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace bulkhead::worker {
namespace {

// False: the client has had enough.
bool SendAll(int fd, const std::string& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    ssize_t n = send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (n <= 0) return false;
    at += n;
  }
  return true;
}

bool ReadHead(int fd, const std::atomic<bool>& stop, std::string* head) {
  char byte;
  while (head->find("\r\n\r\n") == std::string::npos) {
    pollfd ready = {fd, POLLIN, 0};
    if (poll(&ready, 1, 50) == 0) {
      if (stop) return false;
      continue;
    }
    if (recv(fd, &byte, 1, 0) != 1) return false;
    head->push_back(byte);
    if (!absl::ascii_isupper((*head)[0])) return false;  // TLS, for example
  }
  return true;
}

TestServer::Request Parse(const std::string& head) {
  TestServer::Request request;
  std::vector<std::string> lines = absl::StrSplit(head, "\r\n", absl::SkipEmpty());
  std::vector<std::string> first = absl::StrSplit(lines[0], ' ');
  request.method = first.at(0);
  request.target = first.at(1);
  for (size_t i = 1; i < lines.size(); ++i) {
    std::pair<std::string, std::string> header = absl::StrSplit(lines[i], absl::MaxSplits(": ", 1));
    request.headers[absl::AsciiStrToLower(header.first)] = header.second;
  }
  return request;
}

std::string Format(const TestServer::Response& response) {
  std::string out = absl::StrCat("HTTP/1.1 ", response.status, " x\r\nConnection: close\r\n");
  for (const std::string& header : response.headers) absl::StrAppend(&out, header, "\r\n");
  if (response.chunked) {
    return absl::StrCat(out, "Transfer-Encoding: chunked\r\n\r\n", absl::Hex(response.body.size()),
                        "\r\n", response.body, "\r\n0\r\n\r\n");
  }
  return absl::StrCat(out, "Content-Length: ", response.body.size() + response.missing, "\r\n\r\n",
                      response.piece == 0 ? response.body : "");
}

std::string ReadBody(int fd, const TestServer::Request& request) {
  std::string body(strtoul(request.header("content-length").c_str(), nullptr, 10), '\0');
  size_t have = 0;
  while (have < body.size()) {
    ssize_t n = recv(fd, &body[have], body.size() - have, 0);
    if (n <= 0) break;
    have += n;
  }
  return body;
}

}  // namespace

TestServer::TestServer(Handler handler) : handler_(std::move(handler)) {
  listener_.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_.get(), 64), 0);
  EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

TestServer::~TestServer() {
  stop_ = true;
  acceptor_.join();
  for (std::thread& connection : connections_) connection.join();
}

std::string TestServer::host() const { return absl::StrCat("127.0.0.1:", port_); }

std::vector<TestServer::Request> TestServer::requests() {
  std::lock_guard<std::mutex> lock(mutex_);
  return requests_;
}

void TestServer::Accept() {
  while (!stop_) {
    pollfd ready = {listener_.get(), POLLIN, 0};
    if (poll(&ready, 1, 50) <= 0) continue;
    base::UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) continue;
    connections_.emplace_back(
        [this, fd = std::move(connection)]() mutable { Serve(std::move(fd)); });
  }
}

void TestServer::Serve(base::UniqueFd connection) {
  std::string head;
  if (!ReadHead(connection.get(), stop_, &head)) return;
  int now = ++at_once_;
  int most = most_at_once_;
  while (now > most && !most_at_once_.compare_exchange_weak(most, now)) {
  }
  Request request = Parse(head);
  request.body = ReadBody(connection.get(), request);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    requests_.push_back(request);
  }
  Response response = handler_(request);
  for (absl::Duration left = response.delay; left > absl::ZeroDuration() && !stop_;
       left -= absl::Milliseconds(20)) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  --at_once_;
  Send(connection.get(), response);
}

void TestServer::Send(int fd, const Response& response) {
  if (!response.raw.empty()) {
    while (SendAll(fd, response.raw) && response.raw_for_ever && !stop_) {
    }
    return;
  }
  if (!SendAll(fd, Format(response)) || response.piece == 0) return;
  for (size_t at = 0; at < response.body.size() && !stop_; at += response.piece) {
    if (!SendAll(fd, response.body.substr(at, response.piece))) return;
    absl::SleepFor(response.pause);
  }
}

}  // namespace bulkhead::worker
