#pragma once

#include <capnp/message.h>

#include <deque>

#include "absl/status/status.h"
#include "base/unique_fd.h"
#include "broker/fiber.h"

namespace bulkhead::broker {

// The connection to the auditor, which stores records and says when they are durable.
class AuditLink {
 public:
  // What happens to an operation whose intent cannot be recorded.
  enum class OnFailure { kRefuse, kProceed };

  // socket: SOCK_SEQPACKET to the auditor; none: nothing is recorded.
  AuditLink(Loop& loop, base::UniqueFd socket, OnFailure on_failure)
      : loop_(loop), socket_(std::move(socket)), on_failure_(on_failure) {}

  bool enabled() const { return static_cast<bool>(socket_); }
  // Takes receipts until the auditor is gone; for the loop.
  kj::Promise<void> Serve();
  // Sends a record at once. The promise says whether it is durable: OK where nothing is recorded,
  // and where the failure may be passed over (which is logged); else UNAVAILABLE.
  kj::Promise<absl::Status> Record(capnp::MessageBuilder& record);

 private:
  void Drain();
  void Disconnected();
  absl::Status Fail(absl::string_view why);

  Loop& loop_;
  base::UniqueFd socket_;
  OnFailure on_failure_;
  bool connected_ = true;
  // One a record under way, in the order in which they were sent.
  std::deque<kj::Own<kj::PromiseFulfiller<absl::Status>>> waiting_;
};

}  // namespace bulkhead::broker
