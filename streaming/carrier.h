#pragma once

#include <functional>
#include <string>

#include "absl/strings/string_view.h"

namespace bulkhead::streaming {

// What moves bytes between us and the client: the connection itself, or the messages of a WebSocket
// on it.
class Carrier {
 public:
  struct Events {
    // Bytes of a message, in order. first and last: of its pieces; text: a text message.
    std::function<void(absl::string_view bytes, bool first, bool last, bool text)> on_bytes;
    // Less is queued than before.
    std::function<void()> on_sent;
    // The client is gone. Nothing else is called after it.
    std::function<void()> on_gone;
  };
  virtual ~Carrier() = default;

  virtual void Start(Events events) = 0;
  // One message, or some bytes of a stream.
  virtual void Send(std::string bytes, bool text) = 0;
  // Bytes that wait to be sent.
  virtual size_t Queued() const = 0;
  virtual void SetReading(bool reading) = 0;
  // Sends what is queued, says good-bye, and calls on_gone when the client has heard or has had its
  // time.
  virtual void Finish() = 0;
};

}  // namespace bulkhead::streaming
