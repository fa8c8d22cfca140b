#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "streaming/spdy/headers.h"

// Clients of the streaming address, written from the protocols and not from the server's code (but
// for SPDY's compression). Nothing waits longer than it is told to.
namespace bulkhead::test {

using HeaderLines = std::vector<std::pair<std::string, std::string>>;

// One TCP connection and what came over it.
class StreamConnection {
 public:
  // url: "http://127.0.0.1:PORT/PATH".
  explicit StreamConnection(const std::string& url);
  virtual ~StreamConnection() = default;

  // Sends a request and returns the answer's head, with the body where one comes; empty where the
  // server closed.
  std::string Request(const std::string& method, const HeaderLines& headers);
  std::string RequestTarget(const std::string& method, const std::string& target,
                            const HeaderLines& headers);
  bool SendRaw(const std::string& bytes);
  // Reads what is there, waiting at most this long for it. False: nothing came, or the server has
  // closed.
  bool ReadSome(absl::Duration patience);
  bool closed() const { return closed_; }
  void Close() { fd_.Reset(); }
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

 protected:
  base::UniqueFd fd_;
  std::string path_;
  std::string buffer_;  // not taken yet
  bool closed_ = false;
};

// The streams of a SPDY or WebSocket connection, by number: SPDY's stream ids, or channels.
class StreamClient : public StreamConnection {
 public:
  using StreamConnection::StreamConnection;
  // Whether the server took the upgrade.
  virtual bool Upgrade(const std::string& protocol) = 0;
  virtual bool Send(uint32_t stream, const std::string& bytes) = 0;
  virtual bool End(uint32_t stream) = 0;

  // Takes frames until condition holds. False: time is over, or the connection.
  template <typename Condition>
  bool Await(absl::Duration patience, Condition condition);
  bool AwaitText(uint32_t stream, const std::string& text,
                 absl::Duration patience = absl::Seconds(20)) {
    return Await(patience, [&] { return data_[stream].find(text) != std::string::npos; });
  }
  // Until the server has closed the connection.
  bool AwaitClose(absl::Duration patience = absl::Seconds(20)) {
    Await(patience, [] { return false; });
    return closed_;
  }
  const std::string& data(uint32_t stream) { return data_[stream]; }
  // Forgets what came so far; how much that was.
  size_t Drop(uint32_t stream) {
    const size_t size = data_[stream].size();
    data_[stream].clear();
    return size;
  }
  bool ended(uint32_t stream) { return ended_[stream]; }
  bool reset(uint32_t stream) { return reset_[stream]; }

 protected:
  virtual void TakeFrames() = 0;
  std::map<uint32_t, std::string> data_;
  std::map<uint32_t, bool> ended_, reset_;
};

class SpdyClient : public StreamClient {
 public:
  using StreamClient::StreamClient;
  bool Upgrade(const std::string& protocol) override;
  // Opens the streams of a command, error first: 1, 3, 5... in this order. types: "error",
  // "stdout", ...
  bool Open(uint32_t stream, const streaming::spdy::Headers& headers);
  bool Send(uint32_t stream, const std::string& bytes) override;
  bool End(uint32_t stream) override;
  bool Control(uint16_t type, const std::string& payload);

 private:
  void TakeFrames() override;
  streaming::spdy::HeaderWriter writer_;
};

class WebSocketClient : public StreamClient {
 public:
  using StreamClient::StreamClient;
  bool Upgrade(const std::string& protocol) override;
  bool Send(uint32_t channel, const std::string& bytes) override;
  bool End(uint32_t channel) override;  // v5's close
  bool Frame(uint8_t opcode, const std::string& payload);
  bool base64 = false;

 private:
  void TakeFrames() override;
};

template <typename Condition>
bool StreamClient::Await(absl::Duration patience, Condition condition) {
  const absl::Time end = absl::Now() + patience;
  for (TakeFrames(); !condition(); TakeFrames()) {
    if (closed_ || absl::Now() > end) return false;
    ReadSome(end - absl::Now());
  }
  return true;
}

}  // namespace bulkhead::test
