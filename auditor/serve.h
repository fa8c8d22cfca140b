#pragma once

#include "absl/status/status.h"
#include "audit/log_writer.h"

namespace bulkhead::auditor {

// Takes records from the SOCK_SEQPACKET socket, one a message, until the peer closes it; what waits
// there is made durable together. Seals the log when nothing has come for a while and at the end,
// and says a signed checkpoint on standard error every minute in which something was recorded.
absl::Status Serve(int socket, audit::LogWriter& writer);

}  // namespace bulkhead::auditor
