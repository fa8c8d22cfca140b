#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace bulkhead::streaming {

// One stream of bytes, both ways, between us and the client, whatever carries it. Single-threaded.
class ClientStream {
 public:
  virtual ~ClientStream() = default;

  // Who gets what the client sends; what came before is given at once. on_end: the client sends no
  // more; called once more where it then resets the stream. Each byte given is to be reported by
  // Consumed when it has been passed on.
  void Take(std::function<void(absl::string_view)> on_data, std::function<void()> on_end) {
    on_data_ = std::move(on_data);
    on_end_ = std::move(on_end);
    std::string early;
    early.swap(early_);
    if (!early.empty()) on_data_(early);
    if (ended_) on_end_();
  }
  // Called whenever Room() may have grown.
  void WhenRoom(std::function<void()> on_room) { on_room_ = std::move(on_room); }
  bool ended() const { return ended_; }
  // It is over both ways, by the client's word.
  bool reset() const { return reset_; }

  virtual void Consumed(size_t bytes) = 0;
  // How many bytes may be written now.
  virtual size_t Room() const = 0;
  virtual void Write(absl::string_view bytes) = 0;
  // We write no more.
  virtual void End() = 0;
  // Nobody reads what the client sends any more, and we write no more.
  virtual void Abandon() = 0;

  // For the link: what happened.
  void Deliver(absl::string_view bytes) {
    if (on_data_ == nullptr) {
      early_.append(bytes.data(), bytes.size());
    } else {
      on_data_(bytes);
    }
  }
  void DeliverEnd() {
    if (std::exchange(ended_, true)) return;
    if (on_end_ != nullptr) on_end_();
  }
  void DeliverReset() {
    reset_ = true;
    ended_ = true;
    if (on_end_ != nullptr) on_end_();
  }
  void DeliverRoom() {
    if (on_room_ != nullptr) on_room_();
  }

 private:
  std::function<void(absl::string_view)> on_data_;
  std::function<void()> on_end_;
  std::function<void()> on_room_;
  std::string early_;  // bounded by the link, which stops reading
  bool ended_ = false;
  bool reset_ = false;
};
using StreamPtr = std::shared_ptr<ClientStream>;

// How much a link reads ahead of those who use it, and keeps for a client that does not read.
inline constexpr size_t kMaxUnused = 256 << 10;
inline constexpr size_t kMaxQueued = 256 << 10;

}  // namespace bulkhead::streaming
