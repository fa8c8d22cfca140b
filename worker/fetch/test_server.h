#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace bulkhead::worker {

// An HTTP server on a loopback port that answers as a test says, also wrongly: what a wicked or
// sick registry does.
class TestServer {
 public:
  struct Request {
    std::string target;                          // path and query
    std::map<std::string, std::string> headers;  // lower-case names
  };
  struct Response {
    int status = 200;
    std::vector<std::string> headers;  // "Name: value"
    std::string body;
    bool chunked = false;              // no Content-Length
    size_t missing = 0;                // bytes that Content-Length announces beyond the body
    absl::Duration delay;              // before the answer
  };
  using Handler = std::function<Response(const Request& request)>;

  explicit TestServer(Handler handler);
  ~TestServer();

  int port() const { return port_; }
  std::string host() const;  // "127.0.0.1:port"
  std::vector<Request> requests();
  int most_at_once() const { return most_at_once_; }

 private:
  void Accept();
  void Serve(base::UniqueFd connection);

  Handler handler_;
  base::UniqueFd listener_;
  int port_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<int> at_once_ = 0;
  std::atomic<int> most_at_once_ = 0;
  std::mutex mutex_;
  std::vector<Request> requests_;
  std::vector<std::thread> connections_;
  std::thread acceptor_;
};

}  // namespace bulkhead::worker
