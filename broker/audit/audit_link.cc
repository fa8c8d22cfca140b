#include "broker/audit/audit_link.h"

#include <capnp/serialize.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "ipc/audit_protocol.h"

namespace bulkhead::broker {
namespace {

constexpr size_t kMaxWaiting = 1024;

}  // namespace

kj::Promise<void> AuditLink::Serve() {
  if (!enabled()) return kj::READY_NOW;
  auto observer = kj::heap<kj::UnixEventPort::FdObserver>(
      loop_.port(), socket_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ);
  auto readable = observer->whenBecomesReadable();
  Drain();  // what arrived before the observer existed makes no edge
  return readable.attach(kj::mv(observer)).then([this]() -> kj::Promise<void> {
    Drain();
    if (!connected_) return kj::READY_NOW;
    return Serve();
  });
}

void AuditLink::Drain() {
  while (connected_) {
    ipc::AuditReceipt receipt;
    const ssize_t n = recv(socket_.get(), &receipt, sizeof(receipt), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n != sizeof(receipt) || waiting_.empty()) return Disconnected();
    auto fulfiller = kj::mv(waiting_.front());
    waiting_.pop_front();
    fulfiller->fulfill(receipt.seq != 0 ? absl::OkStatus() : Fail(strerror(receipt.error)));
  }
}

void AuditLink::Disconnected() {
  connected_ = false;
  base::Log(base::Severity::kError, "the auditor is gone");
  for (auto& fulfiller : waiting_) fulfiller->fulfill(Fail("the auditor is gone"));
  waiting_.clear();
}

absl::Status AuditLink::Fail(absl::string_view why) {
  if (on_failure_ == OnFailure::kProceed) {
    base::Log(base::Severity::kError, "an audit record is lost", {{"why", why}});
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrCat("the audit log cannot be written, so nothing is done: ", why));
}

kj::Promise<absl::Status> AuditLink::Record(capnp::MessageBuilder& record) {
  if (!enabled()) return absl::OkStatus();
  if (!connected_) return Fail("the auditor is gone");
  if (waiting_.size() >= kMaxWaiting) return Fail("too many records are under way");
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(record);
  const kj::ArrayPtr<const kj::byte> bytes = words.asBytes();
  if (bytes.size() > ipc::kMaxAuditRecordBytes) return Fail("the record is too long");
  // The socket holds hundreds of records; one that is full has an auditor that hangs.
  if (send(socket_.get(), bytes.begin(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    return Fail(strerror(errno));
  }
  auto paf = kj::newPromiseAndFulfiller<absl::Status>();
  waiting_.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

}  // namespace bulkhead::broker
