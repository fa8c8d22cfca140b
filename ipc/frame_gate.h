#pragma once

#include <kj/async-io.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace bulkhead::ipc {

// Follows a byte stream of Cap'n Proto messages and says stop before a bad one is parsed: more than
// 16 segments, more than max_bytes, or a table that adds up to neither (attack class: segment count
// 0xffffffff).
class FrameGate {
 public:
  explicit FrameGate(size_t max_bytes) : max_bytes_(max_bytes) {}
  // Takes the next bytes of the stream and appends to out those that may be passed on: a segment
  // table is held back until it is whole and good. Non-OK once: the stream must be closed.
  absl::Status Feed(absl::Span<const uint8_t> bytes, std::vector<uint8_t>* out);

 private:
  size_t max_bytes_;
  uint64_t body_left_ = 0;
  std::vector<uint8_t> table_;
  bool failed_ = false;

  absl::Status TakeTable(absl::Span<const uint8_t>* bytes, std::vector<uint8_t>* out);
};

// A stream whose incoming bytes pass a FrameGate. A violation ends it like a disconnect and calls
// on_violation once, which must not destroy the stream: it is called from within a read.
kj::Own<kj::AsyncIoStream> GatedStream(kj::Own<kj::AsyncIoStream> inner, size_t max_bytes,
                                       kj::Function<void(absl::Status)> on_violation);

}  // namespace bulkhead::ipc
