// What a client sends on a SPDY connection, in pieces: the first byte of each piece's length comes
// from the input.
#include <algorithm>
#include <cstdint>

#include "streaming/spdy/session.h"

namespace {

using bulkhead::streaming::spdy::Find;
using bulkhead::streaming::spdy::Headers;
using bulkhead::streaming::spdy::ResetCode;
using bulkhead::streaming::spdy::Session;

class Server : public Session::Handler {
 public:
  bool OnStream(uint32_t id, const Headers& headers) override {
    if (Find(headers, "streamtype") == "refuse") return false;
    session.Reply(id);
    session.Send(id, "hello", false);
    return true;
  }
  void OnData(uint32_t id, absl::string_view bytes) override {
    session.Consumed(id, bytes.size());
    session.Send(id, bytes.substr(0, session.SendRoom(id)), false);
  }
  void OnEnd(uint32_t id) override { session.Send(id, "", true); }
  void OnReset(uint32_t) override {}
  void OnRoom(uint32_t id) override {
    if (id != 0) session.Send(id, "room", false);
  }
  void OnGoAway() override { session.GoAway(); }

  Session session{*this, {.streams = 4}};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Server server;
  absl::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const size_t piece = 1 + static_cast<uint8_t>(rest[0]);
    rest.remove_prefix(1);
    if (!server.session.Feed(rest.substr(0, piece)).ok()) break;
    rest.remove_prefix(std::min(piece, rest.size()));
    // The answers to what one input says are bounded by it: 16 bytes for the shortest frame that
    // has one.
    if (server.session.output().size() > (size_t{64} << 10) + 64 * size) __builtin_trap();
  }
  if (server.session.streams() > 4) __builtin_trap();
  return 0;
}
