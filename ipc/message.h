#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/deadline.h"
#include "base/unique_fd.h"

// One framed Cap'n Proto message with file descriptors over a SOCK_STREAM unix socket: how the
// broker gives a worker its job and gets the result.
//
// Frame: 16 bytes {u32 magic "BHF1", u32 payload bytes, u32 fd count, u32 zero}, then the payload,
// which is one Cap'n Proto message in its standard stream form. The fds travel with the header.
// Nothing is given to Cap'n Proto before segment count and sizes are checked (libcapnp 0.9.2
// overruns its buffer on a bad count).
namespace bulkhead::ipc {

inline constexpr size_t kMaxMessageBytes = 1 << 20;
inline constexpr uint32_t kMaxSegments = 16;
inline constexpr int kMaxFds = 250;  // the kernel passes 253 at once

struct Limits {
  size_t max_bytes = kMaxMessageBytes;
  int max_fds = 0;
};

// A message that arrived. Owns its bytes; readers point into it.
class Received {
 public:
  Received(kj::Array<capnp::word> words, std::vector<base::UniqueFd> fds);
  template <typename T>
  typename T::Reader As() {
    return reader_->getRoot<T>();
  }
  std::vector<base::UniqueFd>& fds() { return fds_; }

 private:
  kj::Array<capnp::word> words_;
  std::vector<base::UniqueFd> fds_;
  std::unique_ptr<capnp::FlatArrayMessageReader> reader_;
};

// How a channel waits for its socket: poll(2) in workers, the event loop in the broker.
class Waiter {
 public:
  virtual ~Waiter() = default;
  // Returns when fd may be read (or written), or DEADLINE_EXCEEDED.
  virtual absl::Status Readable(int fd, base::Deadline deadline) = 0;
  virtual absl::Status Writable(int fd, base::Deadline deadline) = 0;
};
Waiter& PollWaiter();

// Sends one frame. fds are duplicated by the kernel and stay the caller's. UNAVAILABLE: the peer is
// gone. max_bytes: more than the default only where the peer is known to take it.
absl::Status Send(int socket, capnp::MessageBuilder& message, absl::Span<const int> fds,
                  base::Deadline deadline, Waiter& waiter = PollWaiter(),
                  size_t max_bytes = kMaxMessageBytes);

// Receives one frame. UNAVAILABLE: the peer closed before a frame began. DATA_LOSS: a violation
// (bad magic, over a limit, surplus or missing fds, truncated control data, bad segment table);
// every fd that arrived is closed.
absl::StatusOr<Received> Receive(int socket, const Limits& limits, base::Deadline deadline,
                                 Waiter& waiter = PollWaiter());

// The check of a whole message's segment table against its length in bytes, before capnp sees it.
absl::Status CheckSegmentTable(absl::Span<const uint8_t> message);
// What readers may follow: 8 times the message (at least 64 KiB), nesting 32.
capnp::ReaderOptions SafeReaderOptions(size_t message_bytes);

}  // namespace bulkhead::ipc
