#pragma once

#include "absl/status/status.h"
#include "audit/log_writer.h"

namespace bulkhead::auditor {

// What the broker gets back for each record, in the order in which it sent them.
struct Receipt {
  uint64_t seq;   // 0: not recorded
  int32_t error;  // of errno, where seq is 0
  int32_t zero;
};
static_assert(sizeof(Receipt) == 16);

// Takes records from the SOCK_SEQPACKET socket, one a message, until the peer closes it; what waits
// there is made durable together. Seals the log when nothing has come for a while and at the end,
// and says a signed checkpoint on standard error every minute in which something was recorded.
absl::Status Serve(int socket, audit::LogWriter& writer);

}  // namespace bulkhead::auditor
