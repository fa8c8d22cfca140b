#include "ipc/message.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ipc/segment_table.h"

namespace bulkhead::ipc {
namespace {

constexpr uint32_t kMagic = 0x31464842;  // "BHF1"
// Room for more than is allowed, so that a surplus is seen and closed rather than cut.
constexpr size_t kControlFds = kMaxFds + 4;

struct Header {
  uint32_t magic;
  uint32_t payload_bytes;
  uint32_t fd_count;
  uint32_t zero;
};
static_assert(sizeof(Header) == 16);

union Control {
  cmsghdr align;
  char bytes[CMSG_SPACE(kControlFds * sizeof(int))];
};

class PollingWaiter : public Waiter {
 public:
  absl::Status Readable(int fd, base::Deadline deadline) override {
    return Wait(fd, POLLIN, deadline);
  }
  absl::Status Writable(int fd, base::Deadline deadline) override {
    return Wait(fd, POLLOUT, deadline);
  }

 private:
  absl::Status Wait(int fd, short events, base::Deadline deadline) {
    pollfd entry = {fd, events, 0};
    for (;;) {
      const int ready = poll(&entry, 1, deadline.PollTimeout());
      if (ready > 0) return absl::OkStatus();
      if (ready < 0 && errno != EINTR) return base::ErrnoStatus("poll");
      if (deadline.Passed()) return absl::DeadlineExceededError("wait for a socket");
    }
  }
};

absl::Status Violation(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("frame: ", what));
}

absl::Status TooLarge(absl::string_view what) {
  return absl::ResourceExhaustedError(absl::StrCat("send: too many ", what));
}

bool MeansGone(int error) { return error == EPIPE || error == ECONNRESET || error == ENOTCONN; }

void AttachFds(absl::Span<const int> fds, Control* control, msghdr* message) {
  if (fds.empty()) return;
  memset(control, 0, sizeof(*control));
  message->msg_control = control->bytes;
  message->msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* part = CMSG_FIRSTHDR(message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  memcpy(CMSG_DATA(part), fds.data(), fds.size() * sizeof(int));
}

// Sends header and payload; the fds go with the first byte.
absl::Status SendBytes(int socket, absl::Span<const uint8_t> header,
                       absl::Span<const uint8_t> payload, absl::Span<const int> fds,
                       base::Deadline deadline, Waiter& waiter) {
  Control control;
  while (!header.empty() || !payload.empty()) {
    iovec parts[] = {{const_cast<uint8_t*>(header.data()), header.size()},
                     {const_cast<uint8_t*>(payload.data()), payload.size()}};
    msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    AttachFds(fds, &control, &message);
    const ssize_t sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      const size_t from_header = std::min(static_cast<size_t>(sent), header.size());
      header.remove_prefix(from_header);
      payload.remove_prefix(static_cast<size_t>(sent) - from_header);
      if (sent > 0) fds = {};
      continue;
    }
    const int error = errno;
    if (MeansGone(error)) return absl::UnavailableError("send: the peer is gone");
    if (error == ETOOMANYREFS) return absl::ResourceExhaustedError("send: too many fds in flight");
    if (error == EAGAIN) {
      BULKHEAD_RETURN_IF_ERROR(waiter.Writable(socket, deadline));
    } else if (error != EINTR) {
      return base::ErrnoStatus("sendmsg", error);
    }
  }
  return absl::OkStatus();
}

// Takes ownership of what came with one recvmsg.
void TakeFds(msghdr* message, std::vector<base::UniqueFd>* fds) {
  for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      fds->emplace_back(fd);
    }
  }
}

// Fills out exactly. *fds grows by what arrives, up to max_fds in all. UNAVAILABLE: the peer closed
// before the first byte.
absl::Status ReceiveBytes(int socket, absl::Span<uint8_t> out, size_t max_fds,
                          std::vector<base::UniqueFd>* fds, base::Deadline deadline,
                          Waiter& waiter) {
  size_t done = 0;
  while (done < out.size()) {
    Control control;
    iovec part = {out.data() + done, out.size() - done};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof(control.bytes);
    const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
      const int error = errno;
      if (error == EINTR) continue;
      if (error == EAGAIN) {
        BULKHEAD_RETURN_IF_ERROR(waiter.Readable(socket, deadline));
        continue;
      }
      if (!MeansGone(error)) return base::ErrnoStatus("recvmsg", error);
    } else {
      TakeFds(&message, fds);
    }
    if (got <= 0) {
      if (done == 0) return absl::UnavailableError("receive: the peer closed");
      return Violation("cut short");
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0) return Violation("control data was truncated");
    if (fds->size() > max_fds) return Violation("surplus fds");
    done += static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

absl::Status CheckHeader(const Header& header, const Limits& limits, size_t fds) {
  if (header.magic != kMagic || header.zero != 0) return Violation("bad header");
  if (header.payload_bytes > limits.max_bytes) return Violation("too long");
  if (header.payload_bytes % sizeof(capnp::word) != 0) return Violation("not whole words");
  if (header.fd_count > static_cast<uint32_t>(limits.max_fds)) return Violation("too many fds");
  if (header.fd_count != fds) return Violation("the fds that came are not those announced");
  return absl::OkStatus();
}

kj::Array<capnp::word> EmptyMessage() {
  // One segment of one word, the null pointer: every root reads as its defaults.
  auto words = kj::heapArray<capnp::word>(2);
  const uint32_t table_and_root[] = {0, 1, 0, 0};
  memcpy(words.begin(), table_and_root, sizeof(table_and_root));
  return words;
}

absl::Span<uint8_t> Bytes(kj::ArrayPtr<capnp::word> words) {
  return {reinterpret_cast<uint8_t*>(words.begin()), words.size() * sizeof(capnp::word)};
}

}  // namespace

Received::Received(kj::Array<capnp::word> words, std::vector<base::UniqueFd> fds)
    : words_(words.size() == 0 ? EmptyMessage() : kj::mv(words)),
      fds_(std::move(fds)),
      reader_(std::make_unique<capnp::FlatArrayMessageReader>(
          words_, SafeReaderOptions(words_.size() * sizeof(capnp::word)))) {}

Waiter& PollWaiter() {
  static PollingWaiter waiter;
  return waiter;
}

absl::Status Send(int socket, capnp::MessageBuilder& message, absl::Span<const int> fds,
                  base::Deadline deadline, Waiter& waiter, size_t max_bytes) {
  const auto segments = message.getSegmentsForOutput();
  if (segments.size() > kMaxSegments) return TooLarge("segments");
  if (fds.size() > static_cast<size_t>(kMaxFds)) return TooLarge("fds");
  // A builder without a root is the hello: a header alone.
  kj::Array<capnp::word> words;
  if (segments.size() > 0) words = capnp::messageToFlatArray(segments);
  const absl::Span<uint8_t> payload = Bytes(words);
  if (payload.size() > max_bytes) return TooLarge("bytes");
  const Header header = {kMagic, static_cast<uint32_t>(payload.size()),
                         static_cast<uint32_t>(fds.size()), 0};
  return SendBytes(socket, {reinterpret_cast<const uint8_t*>(&header), sizeof(header)}, payload,
                   fds, deadline, waiter);
}

absl::StatusOr<Received> Receive(int socket, const Limits& limits, base::Deadline deadline,
                                 Waiter& waiter) {
  Header header;
  std::vector<base::UniqueFd> fds;
  const size_t max_fds = static_cast<size_t>(std::clamp(limits.max_fds, 0, kMaxFds));
  BULKHEAD_RETURN_IF_ERROR(ReceiveBytes(socket,
                                        {reinterpret_cast<uint8_t*>(&header), sizeof(header)},
                                        max_fds, &fds, deadline, waiter));
  BULKHEAD_RETURN_IF_ERROR(CheckHeader(header, limits, fds.size()));
  auto words = kj::heapArray<capnp::word>(header.payload_bytes / sizeof(capnp::word));
  const absl::Status payload =
      ReceiveBytes(socket, Bytes(words), fds.size(), &fds, deadline, waiter);
  if (absl::IsUnavailable(payload)) return Violation("cut short");
  if (!payload.ok()) return payload;
  if (words.size() > 0) BULKHEAD_RETURN_IF_ERROR(CheckSegmentTable(Bytes(words)));
  return Received(kj::mv(words), std::move(fds));
}

absl::Status CheckSegmentTable(absl::Span<const uint8_t> message) {
  if (message.size() < kTablePrefixBytes) return Violation("no segment table");
  BULKHEAD_ASSIGN_OR_RETURN(const size_t table_bytes, SegmentTableBytes(message));
  if (message.size() < table_bytes) return Violation("segment table cut short");
  const uint64_t body_bytes = SegmentBodyBytes(message.first(table_bytes));
  if (body_bytes == 0) return Violation("no root");
  if (table_bytes + body_bytes != message.size()) return Violation("segment sizes do not add up");
  return absl::OkStatus();
}

capnp::ReaderOptions SafeReaderOptions(size_t message_bytes) {
  constexpr size_t kLeastBytes = 64 << 10;
  capnp::ReaderOptions options;
  options.traversalLimitInWords =
      std::max<size_t>(8 * message_bytes, kLeastBytes) / sizeof(capnp::word);
  options.nestingLimit = 32;
  return options;
}

}  // namespace bulkhead::ipc
