// What a peer may send before and into Cap'n Proto: the gate on a stream must decide the same
// however the bytes are cut, and what passes the segment table's check must be readable within the
// limits that readers get.
#include <capnp/any.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "ipc/frame_gate.h"
#include "ipc/message.h"

namespace bulkhead::ipc {
namespace {

constexpr size_t kGateBytes = 1 << 16;

struct Passed {
  bool ok = true;
  std::vector<uint8_t> bytes;
};

Passed Feed(absl::Span<const uint8_t> stream, size_t piece) {
  FrameGate gate(kGateBytes);
  Passed passed;
  while (!stream.empty() && passed.ok) {
    const size_t count = std::min(piece, stream.size());
    passed.ok = gate.Feed(stream.subspan(0, count), &passed.bytes).ok();
    stream.remove_prefix(count);
  }
  return passed;
}

void GateDecidesTheSameHoweverCut(absl::Span<const uint8_t> stream, size_t piece) {
  const Passed whole = Feed(stream, stream.size());
  const Passed cut = Feed(stream, piece);
  if (whole.ok != cut.ok || whole.bytes != cut.bytes) abort();
  if (cut.bytes.size() > stream.size()) abort();
}

void WhatPassesTheTableIsReadable(absl::Span<const uint8_t> message) {
  if (!CheckSegmentTable(message).ok()) return;
  std::vector<capnp::word> words(message.size() / sizeof(capnp::word));
  memcpy(words.data(), message.data(), words.size() * sizeof(capnp::word));
  // A bad pointer is kj's exception, which ipc turns into a violation; anything else is a bug.
  (void)kj::runCatchingExceptions([&] {
    capnp::FlatArrayMessageReader reader(kj::arrayPtr(words.data(), words.size()),
                                         SafeReaderOptions(message.size()));
    (void)reader.getRoot<capnp::AnyPointer>().targetSize();
  });
}

}  // namespace
}  // namespace bulkhead::ipc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const absl::Span<const uint8_t> bytes(data + 1, size - 1);
  bulkhead::ipc::GateDecidesTheSameHoweverCut(bytes, data[0] % 23 + 1);
  bulkhead::ipc::WhatPassesTheTableIsReadable(bytes);
  return 0;
}
