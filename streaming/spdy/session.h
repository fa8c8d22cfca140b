#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "streaming/spdy/headers.h"

// The server's half of one SPDY/3.1 connection (draft-mbelshe-httpbis-spdy-00 and its 3.1
// amendments), as a machine that only knows bytes: what came in is fed, what is to go out is taken.
// Streams are the client's to open.
namespace bulkhead::streaming::spdy {

enum class ResetCode : uint32_t {
  kProtocolError = 1,
  kInvalidStream = 2,
  kRefusedStream = 3,
  kCancel = 5,
  kInternalError = 6,
  kFlowControlError = 7,
};

class Session {
 public:
  // What happened. Called from within Feed; may call the session's other methods, not Feed.
  class Handler {
   public:
    virtual ~Handler() = default;
    // A new stream. False: refused, and forgotten.
    virtual bool OnStream(uint32_t id, const Headers& headers) = 0;
    virtual void OnData(uint32_t id, absl::string_view bytes) = 0;
    // The client sends no more on it.
    virtual void OnEnd(uint32_t id) = 0;
    // It is over, both ways.
    virtual void OnReset(uint32_t id) = 0;
    // SendRoom has grown, of one stream or (0) of all.
    virtual void OnRoom(uint32_t id) = 0;
    // The client wants to end the connection.
    virtual void OnGoAway() = 0;
  };
  struct Limits {
    size_t streams = 8;  // open at one time
  };

  Session(Handler& handler, Limits limits) : handler_(handler), limits_(limits) {}
  Session(const Session&) = delete;

  // Takes the next bytes. An error ends the connection: what is left in output() says why to the
  // client.
  absl::Status Feed(absl::string_view bytes);

  // Accepts a stream that OnStream gave; before anything is sent on it.
  void Reply(uint32_t id);
  // Bytes that may be sent now. A client that never speaks of windows (most do not) sets no bound.
  size_t SendRoom(uint32_t id) const;
  // At most SendRoom bytes. Nothing where the stream is gone. end: no more follows.
  void Send(uint32_t id, absl::string_view bytes, bool end);
  void Reset(uint32_t id, ResetCode code);
  // The bytes of OnData have been used: the client may send as many more.
  void Consumed(uint32_t id, size_t bytes);
  void GoAway();

  // Frames for the client, to be taken away as they are sent.
  std::string& output() { return output_; }
  size_t streams() const { return streams_.size(); }

 private:
  struct Stream {
    bool client_ended = false;
    bool we_ended = false;
    int64_t room = 0;
    uint32_t consumed = 0;  // not told to the client yet
  };
  using Streams = std::map<uint32_t, Stream>;

  absl::Status Begin(absl::string_view* bytes);
  absl::Status TakeControl(absl::string_view payload);
  absl::Status TakeSynStream(absl::string_view payload);
  absl::Status TakeHeaders(absl::string_view payload, size_t skip);
  absl::Status TakeSettings(absl::string_view payload);
  absl::Status TakeWindowUpdate(absl::string_view payload);
  void TakeData(absl::string_view bytes);
  void TakeReset(absl::string_view payload);
  void ClientEnds(uint32_t id);
  void ForgetIfOver(Streams::iterator stream);
  void AppendControl(uint16_t type, uint8_t flags, absl::string_view payload);
  void AppendWindowUpdate(uint32_t id, uint32_t bytes);
  absl::Status Fail(absl::string_view why);

  Handler& handler_;
  const Limits limits_;
  HeaderReader reader_;
  HeaderWriter writer_;
  Streams streams_;
  std::string output_;
  uint32_t last_id_ = 0;  // of the client's streams
  bool going_away_ = false;
  bool failed_ = false;

  // The frame that is coming in: a header, then a control frame's payload as a whole, or a data
  // frame's in pieces.
  std::string frame_;
  bool in_data_ = false;
  uint32_t data_stream_ = 0;
  uint8_t flags_ = 0;
  uint16_t type_ = 0;
  size_t left_ = 0;  // bytes of payload

  // Windows: what may be sent, of each stream and of the connection.
  bool client_has_windows_ = false;
  int64_t initial_room_ = 64 << 10;
  int64_t connection_room_ = 64 << 10;
  uint32_t connection_consumed_ = 0;
};

}  // namespace bulkhead::streaming::spdy
