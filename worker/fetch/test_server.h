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
    std::string method;
    std::string target;                          // path and query
    std::map<std::string, std::string> headers;  // lower-case names
    std::string body;
    std::string header(const std::string& name) const {
      auto found = headers.find(name);
      return found == headers.end() ? "" : found->second;
    }
  };
  struct Response {
    int status = 200;
    std::vector<std::string> headers;  // "Name: value"
    std::string body;
    bool chunked = false;  // no Content-Length
    size_t missing = 0;    // bytes that Content-Length announces beyond the body
    absl::Duration delay;  // before the answer
    size_t piece = 0;      // bytes of the body at a time, with a pause after each
    absl::Duration pause;
    std::string raw;            // not empty: sent as it is, instead of all the above
    bool raw_for_ever = false;  // again and again, until the client has had enough
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
  void Send(int fd, const Response& response);

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
