#pragma once

#include <cstddef>
#include <cstdint>

// An attached client and the container's monitor, over a SOCK_SEQPACKET socket pair that the broker
// makes. One packet is a tag and the bytes that belong to it, so that none is ever taken in part:
// output that the client's end has no room for is dropped as a whole, and the container goes on.
// The monitor ends the connection when the container has ended.
namespace bulkhead::ipc {

enum class AttachTag : uint8_t {
  kStdin = 0,   // client: 1 to kMaxAttachInput bytes
  kStdout = 1,  // monitor; a terminal's output too
  kStderr = 2,  // monitor
  kResize = 4,  // client: AttachSize
  kEnd = 5,     // client: no more stdin. Unless the container's ends with it, it is detached.
};

struct AttachSize {
  uint16_t columns;
  uint16_t rows;
};

inline constexpr size_t kMaxAttachInput = 4096;  // what a pipe takes as a whole
inline constexpr size_t kMaxAttachOutput = 32 << 10;

}  // namespace bulkhead::ipc
