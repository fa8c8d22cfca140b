#include "streaming/channel_link.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "base/log.h"

namespace bulkhead::streaming {
namespace {

constexpr uint8_t kClose = 255;
constexpr size_t kMaxBase64 = 1 << 20;

}  // namespace

class ChannelLink::Channel : public ClientStream {
 public:
  Channel(ChannelLink& link, size_t number) : link_(link), number_(number) {}

  void Consumed(size_t bytes) override {
    link_.unused_ -= bytes;
    link_.UpdateReading();
  }
  size_t Room() const override {
    const size_t queued = link_.carrier_.Queued();
    return queued < kMaxQueued ? kMaxQueued - queued : 0;
  }
  void Write(absl::string_view bytes) override {
    if (!we_ended_) link_.Send(number_, bytes);
  }
  // There is no word for it: a channel of ours ends with the connection.
  void End() override { we_ended_ = true; }
  void Abandon() override { we_ended_ = true; }

 private:
  ChannelLink& link_;
  const size_t number_;
  bool we_ended_ = false;
};

ChannelLink::ChannelLink(Carrier& carrier, Options options, std::function<void()> on_gone)
    : carrier_(carrier), options_(options), on_gone_(std::move(on_gone)) {
  for (size_t i = 0; i < options.channels; ++i) {
    channels_.push_back(std::make_shared<Channel>(*this, i));
  }
  carrier_.Start({.on_bytes = [this](absl::string_view bytes, bool first, bool last,
                                     bool) { TakeBytes(bytes, first, last); },
                  .on_sent =
                      [this] {
                        TellRoom();
                        UpdateReading();
                      },
                  .on_gone = [this] { on_gone_(); }});
}

// A binary message is passed on as it comes; what has to be seen as a whole is gathered.
void ChannelLink::TakeBytes(absl::string_view bytes, bool first, bool last) {
  if (first) message_.clear();
  if (first && bytes.empty()) return;  // an empty message, or one of which nothing has come
  if (first && !options_.base64) {
    current_ = static_cast<uint8_t>(bytes[0]);
    bytes.remove_prefix(1);
  }
  if (options_.base64 || (options_.can_close && current_ == kClose)) {
    if (message_.size() + bytes.size() > kMaxBase64) return Violation("a message is too long");
    message_.append(bytes.data(), bytes.size());
    if (last) TakeMessage(message_);
    return;
  }
  Deliver(current_, bytes);
}

void ChannelLink::TakeMessage(const std::string& message) {
  if (message.empty()) return;
  if (!options_.base64) {
    const size_t number = static_cast<uint8_t>(message[0]);
    if (message.size() != 1 || number >= channels_.size()) return Violation("a bad close");
    return channels_[number]->DeliverEnd();
  }
  std::string bytes;
  if (!absl::Base64Unescape(absl::string_view(message).substr(1), &bytes)) {
    return Violation("bad base64");
  }
  Deliver(static_cast<size_t>(message[0] - '0'), bytes);
}

void ChannelLink::Deliver(size_t number, absl::string_view bytes) {
  if (number >= channels_.size()) return Violation("no such channel");
  if (bytes.empty() || channels_[number]->ended()) return;
  unused_ += bytes.size();
  channels_[number]->Deliver(bytes);
  UpdateReading();
}

void ChannelLink::Send(size_t number, absl::string_view bytes) {
  if (!options_.base64) {
    std::string message(1, static_cast<char>(number));
    message.append(bytes.data(), bytes.size());
    return carrier_.Send(std::move(message), false);
  }
  carrier_.Send(static_cast<char>('0' + number) + absl::Base64Escape(bytes), true);
}

void ChannelLink::Greet(size_t number) { Send(number, ""); }

void ChannelLink::TellRoom() {
  if (carrier_.Queued() > kMaxQueued / 2) return;
  for (const StreamPtr& channel : channels_) channel->DeliverRoom();
}

void ChannelLink::UpdateReading() {
  carrier_.SetReading(unused_ < kMaxUnused && carrier_.Queued() < 2 * kMaxQueued);
}

void ChannelLink::Violation(absl::string_view what) {
  base::Log(base::Severity::kWarning, "the client broke the protocol", {{"what", what}});
  carrier_.Finish();
}

}  // namespace bulkhead::streaming
