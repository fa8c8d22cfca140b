#pragma once

#include <functional>
#include <string>
#include <vector>

#include "streaming/carrier.h"
#include "streaming/link.h"

namespace bulkhead::streaming {

// Kubernetes' channels on a WebSocket: each message begins with the number of its channel.
class ChannelLink {
 public:
  struct Options {
    size_t channels = 0;
    bool base64 = false;     // text messages: the number as a digit, the rest in base64
    bool can_close = false;  // v5: a message of 255 and a number ends that channel
  };
  ChannelLink(Carrier& carrier, Options options, std::function<void()> on_gone);

  StreamPtr channel(size_t number) const { return channels_[number]; }
  // An empty message, which tells the client that we are there.
  void Greet(size_t number);
  void Finish() { carrier_.Finish(); }

 private:
  class Channel;

  void TakeBytes(absl::string_view bytes, bool first, bool last);
  void TakeMessage(const std::string& message);
  void Deliver(size_t number, absl::string_view bytes);
  void Send(size_t number, absl::string_view bytes);
  void TellRoom();
  void UpdateReading();
  void Violation(absl::string_view what);

  Carrier& carrier_;
  const Options options_;
  std::function<void()> on_gone_;
  std::vector<StreamPtr> channels_;
  size_t current_ = 0;   // the channel of the message that comes in
  std::string message_;  // base64, or a close: as far as it has come
  size_t unused_ = 0;
};

}  // namespace bulkhead::streaming
