#include "streaming/spdy/session.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "streaming/spdy/bytes.h"

namespace bulkhead::streaming::spdy {
namespace {

enum Type : uint16_t {
  kSynStream = 1,
  kSynReply = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kHeaders = 8,
  kWindowUpdate = 9,
};

constexpr size_t kFrameHeader = 8;
constexpr size_t kMaxControl = kMaxHeaderBytes + 16;
constexpr uint16_t kControlBit = 0x8000;
constexpr uint16_t kVersion = 3;
constexpr uint8_t kFin = 1;
constexpr uint32_t kIdMask = 0x7fffffff;
constexpr uint32_t kInitialWindowSetting = 7;
constexpr int64_t kInitialWindow = 64 << 10;
constexpr int64_t kMaxWindow = 0x7fffffff;
// How much is consumed before the client is told.
constexpr uint32_t kTellAt = kInitialWindow / 2;
// A data frame of ours: small enough that other streams get their turn.
constexpr size_t kMaxData = 32 << 10;
// Frames that ask for an answer are not read while this much waits to be sent.
constexpr size_t kMaxOutput = 4 << 20;

uint32_t Id(absl::string_view payload) { return Load32(payload.data()) & kIdMask; }
}  // namespace

absl::Status Session::Fail(absl::string_view why) {
  failed_ = true;
  if (!going_away_) GoAway();
  return absl::DataLossError(absl::StrCat("SPDY: ", why));
}

absl::Status Session::Feed(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (failed_) return absl::DataLossError("SPDY: after an error");
    if (!in_data_) {
      BULKHEAD_RETURN_IF_ERROR(Begin(&bytes));
      continue;
    }
    const absl::string_view part = bytes.substr(0, left_);
    bytes.remove_prefix(part.size());
    left_ -= part.size();
    TakeData(part);
  }
  return absl::OkStatus();
}

// Gathers a frame's header, and a control frame's payload.
absl::Status Session::Begin(absl::string_view* bytes) {
  const size_t wanted = frame_.size() < kFrameHeader ? kFrameHeader : kFrameHeader + left_;
  const absl::string_view part = bytes->substr(0, wanted - frame_.size());
  frame_.append(part.data(), part.size());
  bytes->remove_prefix(part.size());
  if (frame_.size() < wanted) return absl::OkStatus();
  if (wanted == kFrameHeader && left_ == 0) {
    const uint16_t first = Load16(frame_.data());
    flags_ = static_cast<uint8_t>(frame_[4]);
    left_ = Load32(frame_.data() + 4) & 0xffffff;
    if ((first & kControlBit) == 0) {
      data_stream_ = Load32(frame_.data());
      frame_.clear();
      in_data_ = true;
      if (left_ == 0) TakeData("");
      return absl::OkStatus();
    }
    type_ = Load16(frame_.data() + 2);
    if ((first & ~kControlBit) != kVersion) return Fail("not version 3");
    if (left_ > kMaxControl) return Fail("a control frame is too long");
    if (left_ > 0) return absl::OkStatus();
  }
  left_ = 0;
  std::string whole;
  whole.swap(frame_);
  return TakeControl(absl::string_view(whole).substr(kFrameHeader));
}

absl::Status Session::TakeControl(absl::string_view payload) {
  constexpr std::pair<uint16_t, size_t> kShortest[] = {
      {kSynStream, 10}, {kRstStream, 8}, {kSettings, 4},    {kPing, 4},
      {kGoAway, 8},     {kHeaders, 4},   {kWindowUpdate, 8}};
  for (const auto& [type, size] : kShortest) {
    if (type == type_ && payload.size() < size) return Fail("a control frame is too short");
  }
  switch (type_) {
    case kSynStream:
      return TakeSynStream(payload);
    case kHeaders:
      return TakeHeaders(payload, 4);
    case kSettings:
      return TakeSettings(payload);
    case kWindowUpdate:
      return TakeWindowUpdate(payload);
    case kRstStream:
      TakeReset(payload);
      return absl::OkStatus();
    case kPing:
      if (output_.size() > kMaxOutput) return Fail("more pings than answers are read");
      // The client's numbers are odd; we ask for none ourselves.
      if ((Load32(payload.data()) & 1) != 0) AppendControl(kPing, 0, payload.substr(0, 4));
      return absl::OkStatus();
    case kGoAway:
      handler_.OnGoAway();
      return absl::OkStatus();
    case kSynReply:
      return Fail("a reply to a stream that was never opened");
    default:
      return absl::OkStatus();  // of a later version
  }
}

absl::Status Session::TakeSynStream(absl::string_view payload) {
  const uint32_t id = Id(payload);
  absl::StatusOr<Headers> headers = reader_.Read(payload.substr(10));
  if (!headers.ok()) return Fail(headers.status().message());
  if (id % 2 == 0 || id <= last_id_) return Fail("a stream's number is not the next");
  last_id_ = id;
  if (output_.size() > kMaxOutput) return Fail("more streams than answers are read");
  if (going_away_ || streams_.size() >= limits_.streams) {
    Reset(id, ResetCode::kRefusedStream);
    return absl::OkStatus();
  }
  streams_[id].room = client_has_windows_ ? initial_room_ : kInitialWindow;
  const bool ended = (flags_ & kFin) != 0;
  if (!handler_.OnStream(id, *headers)) {
    Reset(id, ResetCode::kRefusedStream);
  } else if (ended) {
    ClientEnds(id);
  }
  return absl::OkStatus();
}

// Read for the zlib stream that all blocks share; nobody wants what is in them.
absl::Status Session::TakeHeaders(absl::string_view payload, size_t skip) {
  absl::Status read = reader_.Read(payload.substr(skip)).status();
  if (!read.ok()) return Fail(read.message());
  if ((flags_ & kFin) != 0) ClientEnds(Id(payload));
  return absl::OkStatus();
}

absl::Status Session::TakeSettings(absl::string_view payload) {
  const uint32_t count = Load32(payload.data());
  payload.remove_prefix(4);
  if (payload.size() != uint64_t{count} * 8) return Fail("settings: their number is wrong");
  for (; !payload.empty(); payload.remove_prefix(8)) {
    if ((Load32(payload.data()) & 0xffffff) != kInitialWindowSetting) continue;
    const int64_t size = Load32(payload.data() + 4);
    if (size > kMaxWindow) return Fail("settings: a window is too large");
    const int64_t before = client_has_windows_ ? initial_room_ : kInitialWindow;
    if (!client_has_windows_) connection_room_ = kInitialWindow;
    client_has_windows_ = true;
    initial_room_ = size;
    for (auto& [id, stream] : streams_) stream.room += size - before;
  }
  handler_.OnRoom(0);
  return absl::OkStatus();
}

absl::Status Session::TakeWindowUpdate(absl::string_view payload) {
  const uint32_t id = Id(payload);
  const int64_t more = Load32(payload.data() + 4) & kIdMask;
  if (!client_has_windows_) {
    client_has_windows_ = true;
    initial_room_ = connection_room_ = kInitialWindow;
  }
  if (id == 0) {
    connection_room_ += more;
    if (connection_room_ > kMaxWindow) return Fail("the connection's window is too large");
    handler_.OnRoom(0);
    return absl::OkStatus();
  }
  const auto stream = streams_.find(id);
  if (stream == streams_.end()) return absl::OkStatus();
  stream->second.room += more;
  if (stream->second.room > kMaxWindow) {
    Reset(id, ResetCode::kFlowControlError);
    handler_.OnReset(id);
    return absl::OkStatus();
  }
  handler_.OnRoom(id);
  return absl::OkStatus();
}

void Session::TakeData(absl::string_view bytes) {
  const uint32_t id = data_stream_;
  const bool last = left_ == 0;
  if (last) in_data_ = false;
  const auto stream = streams_.find(id);
  // Data of a stream that has ended is nobody's; the connection's window still counts it.
  if (stream == streams_.end() || stream->second.client_ended) return Consumed(0, bytes.size());
  if (!bytes.empty()) handler_.OnData(id, bytes);
  if (last && (flags_ & kFin) != 0) ClientEnds(id);
}

void Session::TakeReset(absl::string_view payload) {
  const uint32_t id = Id(payload);
  if (streams_.erase(id) > 0) handler_.OnReset(id);
}

void Session::ClientEnds(uint32_t id) {
  const auto stream = streams_.find(id);
  if (stream == streams_.end() || stream->second.client_ended) return;
  stream->second.client_ended = true;
  handler_.OnEnd(id);
  ForgetIfOver(streams_.find(id));
}

void Session::ForgetIfOver(Streams::iterator stream) {
  if (stream == streams_.end()) return;
  if (stream->second.client_ended && stream->second.we_ended) streams_.erase(stream);
}

void Session::Reply(uint32_t id) {
  std::string payload;
  Append32(&payload, id);
  AppendControl(kSynReply, 0, payload + writer_.Write({}));
}

size_t Session::SendRoom(uint32_t id) const {
  const auto stream = streams_.find(id);
  if (stream == streams_.end() || stream->second.we_ended) return 0;
  if (!client_has_windows_) return kMaxOutput;
  return static_cast<size_t>(std::max<int64_t>(0, std::min(stream->second.room, connection_room_)));
}

void Session::Send(uint32_t id, absl::string_view bytes, bool end) {
  const auto stream = streams_.find(id);
  if (stream == streams_.end() || stream->second.we_ended || (bytes.empty() && !end)) return;
  stream->second.room -= static_cast<int64_t>(bytes.size());
  if (client_has_windows_) connection_room_ -= static_cast<int64_t>(bytes.size());
  do {
    const absl::string_view part = bytes.substr(0, kMaxData);
    bytes.remove_prefix(part.size());
    const bool fin = end && bytes.empty();
    Append32(&output_, id);
    Append32(&output_, static_cast<uint32_t>(part.size()) | (fin ? uint32_t{kFin} << 24 : 0));
    output_.append(part.data(), part.size());
  } while (!bytes.empty());
  stream->second.we_ended = end;
  ForgetIfOver(stream);
}

void Session::Reset(uint32_t id, ResetCode code) {
  streams_.erase(id);
  std::string payload;
  Append32(&payload, id);
  Append32(&payload, static_cast<uint32_t>(code));
  AppendControl(kRstStream, 0, payload);
}

void Session::Consumed(uint32_t id, size_t bytes) {
  connection_consumed_ += static_cast<uint32_t>(bytes);
  if (connection_consumed_ >= kTellAt) {
    AppendWindowUpdate(0, std::exchange(connection_consumed_, 0));
  }
  const auto stream = streams_.find(id);
  if (stream == streams_.end() || stream->second.client_ended) return;
  stream->second.consumed += static_cast<uint32_t>(bytes);
  if (stream->second.consumed < kTellAt) return;
  AppendWindowUpdate(id, std::exchange(stream->second.consumed, 0));
}

void Session::GoAway() {
  going_away_ = true;
  std::string payload;
  Append32(&payload, last_id_);
  Append32(&payload, failed_ ? 1 : 0);
  AppendControl(kGoAway, 0, payload);
}

void Session::AppendControl(uint16_t type, uint8_t flags, absl::string_view payload) {
  Append16(&output_, kControlBit | kVersion);
  Append16(&output_, type);
  Append32(&output_, static_cast<uint32_t>(payload.size()) | uint32_t{flags} << 24);
  output_.append(payload.data(), payload.size());
}

void Session::AppendWindowUpdate(uint32_t id, uint32_t bytes) {
  std::string payload;
  Append32(&payload, id);
  Append32(&payload, bytes);
  AppendControl(kWindowUpdate, 0, payload);
}

}  // namespace bulkhead::streaming::spdy
