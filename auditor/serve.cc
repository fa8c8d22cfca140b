#include "auditor/serve.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "base/status.h"
#include "ipc/audit_protocol.h"

namespace bulkhead::auditor {
namespace {

static_assert(audit::kMaxPayloadBytes == ipc::kMaxAuditRecordBytes);

constexpr absl::Duration kSealAfter = absl::Seconds(5);
constexpr absl::Duration kCheckpointEvery = absl::Minutes(1);
constexpr size_t kMostAtOnce = 64;

// Whether a message was there. Empty: the peer has closed.
absl::StatusOr<bool> TakeMessage(int socket, std::string* message) {
  message->resize(audit::kMaxPayloadBytes + 1);
  iovec part = {.iov_base = message->data(), .iov_len = message->size()};
  msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
  ssize_t got;
  do {
    got = recvmsg(socket, &header, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return false;
  if (got < 0) return base::ErrnoStatus("receive a record");
  message->resize(got);
  return true;
}

absl::Status SendReceipts(int socket, const std::vector<ipc::AuditReceipt>& receipts) {
  for (const ipc::AuditReceipt& receipt : receipts) {
    iovec part = {.iov_base = const_cast<ipc::AuditReceipt*>(&receipt), .iov_len = sizeof(receipt)};
    msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;
    do {
      sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) return base::ErrnoStatus("send a receipt");
  }
  return absl::OkStatus();
}

class Session {
 public:
  Session(int socket, audit::LogWriter& writer) : socket_(socket), writer_(writer) {}

  absl::Status Run() {
    while (!closed_) {
      pollfd entry = {socket_, POLLIN, 0};
      const int ready = poll(&entry, 1, absl::ToInt64Milliseconds(kSealAfter));
      if (ready < 0 && errno != EINTR) return base::ErrnoStatus("wait for records");
      if (ready > 0) BULKHEAD_RETURN_IF_ERROR(TakeBatch());
      if (ready == 0) Complain(writer_.SealNow(false));
      SayCheckpoint();
    }
    return writer_.SealNow(true);
  }

 private:
  absl::Status TakeBatch() {
    std::vector<ipc::AuditReceipt> receipts;
    std::string message;
    while (receipts.size() < kMostAtOnce) {
      BULKHEAD_ASSIGN_OR_RETURN(const bool came, TakeMessage(socket_, &message));
      if (!came) break;
      if (message.empty()) {
        closed_ = true;
        break;
      }
      const absl::StatusOr<uint64_t> seq = writer_.Append(audit::Emitter::kBroker, message);
      receipts.push_back(seq.ok() ? ipc::AuditReceipt{*seq, 0, 0}
                                  : ipc::AuditReceipt{0, EMSGSIZE, 0});
    }
    const absl::Status committed = writer_.Commit();
    if (!committed.ok()) {
      Complain(committed);
      // A seal that failed leaves its records durable; those above the mark are not.
      for (ipc::AuditReceipt& receipt : receipts) {
        if (receipt.seq > writer_.durable_seq()) receipt = {0, EIO, 0};
      }
    }
    return SendReceipts(socket_, receipts);
  }

  void Complain(const absl::Status& status) {
    if (status.ok()) return;
    base::Log(base::Severity::kError, "the audit log cannot be written",
              {{"why", status.message()}});
  }

  // To the system's journal, which is shipped elsewhere: what stands there cannot be cut off here.
  void SayCheckpoint() {
    const absl::Time now = absl::Now();
    if (now - last_checkpoint_ < kCheckpointEvery || writer_.durable_seq() == checkpoint_seq_)
      return;
    last_checkpoint_ = now;
    checkpoint_seq_ = writer_.durable_seq();
    const absl::StatusOr<std::string> line = writer_.NewCheckpoint();
    if (!line.ok()) return Complain(line.status());
    base::Log(base::Severity::kInfo, "audit checkpoint", {{"checkpoint", *line}});
  }

  const int socket_;
  audit::LogWriter& writer_;
  bool closed_ = false;
  absl::Time last_checkpoint_ = absl::InfinitePast();
  uint64_t checkpoint_seq_ = 0;
};

}  // namespace

absl::Status Serve(int socket, audit::LogWriter& writer) { return Session(socket, writer).Run(); }

}  // namespace bulkhead::auditor
