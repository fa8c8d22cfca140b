#pragma once

#include <functional>
#include <map>

#include "streaming/carrier.h"
#include "streaming/link.h"
#include "streaming/spdy/session.h"

namespace bulkhead::streaming {

// A SPDY connection on a carrier, and its streams as ClientStreams.
class SpdyLink : private spdy::Session::Handler {
 public:
  struct Events {
    // A stream that the client opened. False: refused.
    std::function<bool(StreamPtr stream, const spdy::Headers& headers)> on_stream;
    // The client is gone, or broke the protocol.
    std::function<void()> on_gone;
  };
  SpdyLink(Carrier& carrier, size_t max_streams, Events events);

  // Says good-bye; on_gone follows.
  void Finish();
  size_t streams() const { return streams_.size(); }

 private:
  class Stream;

  bool OnStream(uint32_t id, const spdy::Headers& headers) override;
  void OnData(uint32_t id, absl::string_view bytes) override;
  void OnEnd(uint32_t id) override;
  void OnReset(uint32_t id) override;
  void OnRoom(uint32_t id) override;
  void OnGoAway() override;

  void Feed(absl::string_view bytes);
  void Flush();
  void TellRoom();
  void UpdateReading();

  Carrier& carrier_;
  Events events_;
  spdy::Session session_;
  std::map<uint32_t, std::shared_ptr<Stream>> streams_;
  size_t unused_ = 0;  // bytes delivered and not consumed
  bool feeding_ = false;
};

}  // namespace bulkhead::streaming
