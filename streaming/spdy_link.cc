#include "streaming/spdy_link.h"

#include <algorithm>
#include <vector>

#include "base/log.h"

namespace bulkhead::streaming {

class SpdyLink::Stream : public ClientStream {
 public:
  Stream(SpdyLink& link, uint32_t id) : link_(link), id_(id) {}

  void Consumed(size_t bytes) override {
    link_.unused_ -= bytes;
    link_.session_.Consumed(id_, bytes);
    link_.Flush();
    link_.UpdateReading();
  }
  size_t Room() const override {
    const size_t queued = link_.carrier_.Queued();
    const size_t room = queued < kMaxQueued ? kMaxQueued - queued : 0;
    return std::min(room, link_.session_.SendRoom(id_));
  }
  void Write(absl::string_view bytes) override {
    link_.session_.Send(id_, bytes, false);
    link_.Flush();
  }
  void End() override {
    if (std::exchange(we_ended_, true)) return;
    link_.session_.Send(id_, "", true);
    link_.Flush();
    if (ended()) link_.streams_.erase(id_);
  }
  void Abandon() override {
    we_ended_ = true;
    if (link_.streams_.erase(id_) == 0) return;
    link_.session_.Reset(id_, spdy::ResetCode::kCancel);
    link_.Flush();
  }
  bool we_ended() const { return we_ended_; }

 private:
  SpdyLink& link_;
  const uint32_t id_;
  bool we_ended_ = false;
};

SpdyLink::SpdyLink(Carrier& carrier, size_t max_streams, Events events)
    : carrier_(carrier), events_(std::move(events)), session_(*this, {.streams = max_streams}) {
  carrier_.Start({.on_bytes = [this](absl::string_view bytes, bool, bool, bool) { Feed(bytes); },
                  .on_sent =
                      [this] {
                        TellRoom();
                        UpdateReading();
                      },
                  .on_gone = [this] { events_.on_gone(); }});
}

void SpdyLink::Feed(absl::string_view bytes) {
  feeding_ = true;
  const absl::Status status = session_.Feed(bytes);
  feeding_ = false;
  Flush();
  UpdateReading();
  if (status.ok()) return;
  base::Log(base::Severity::kWarning, "the client broke the protocol",
            {{"what", status.message()}});
  carrier_.Finish();
}

// What several events of one read have to say goes out at once.
void SpdyLink::Flush() {
  if (feeding_ || session_.output().empty()) return;
  std::string bytes;
  bytes.swap(session_.output());
  carrier_.Send(std::move(bytes), false);
}

void SpdyLink::UpdateReading() {
  carrier_.SetReading(unused_ < kMaxUnused && carrier_.Queued() < 2 * kMaxQueued);
}

void SpdyLink::TellRoom() {
  if (carrier_.Queued() > kMaxQueued / 2) return;
  std::vector<std::shared_ptr<Stream>> all;  // a stream that gets room may end, and others with it
  for (const auto& [id, stream] : streams_) all.push_back(stream);
  for (const auto& stream : all) stream->DeliverRoom();
}

bool SpdyLink::OnStream(uint32_t id, const spdy::Headers& headers) {
  auto stream = std::make_shared<Stream>(*this, id);
  streams_[id] = stream;
  session_.Reply(id);
  if (events_.on_stream(stream, headers)) return true;
  streams_.erase(id);
  return false;
}

void SpdyLink::OnData(uint32_t id, absl::string_view bytes) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return session_.Consumed(0, bytes.size());
  unused_ += bytes.size();
  const std::shared_ptr<Stream> stream = found->second;
  stream->Deliver(bytes);
}

void SpdyLink::OnEnd(uint32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::shared_ptr<Stream> stream = found->second;
  stream->DeliverEnd();
  if (stream->we_ended()) streams_.erase(id);
}

void SpdyLink::OnReset(uint32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::shared_ptr<Stream> stream = found->second;
  streams_.erase(found);
  stream->DeliverReset();
}

void SpdyLink::OnRoom(uint32_t id) {
  if (id == 0) return TellRoom();
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::shared_ptr<Stream> stream = found->second;
  stream->DeliverRoom();
}

// Its streams end as they would.
void SpdyLink::OnGoAway() {}

void SpdyLink::Finish() {
  session_.GoAway();
  Flush();
  carrier_.Finish();
}

}  // namespace bulkhead::streaming
