#pragma once

#include <cstddef>
#include <cstdint>

// Between the broker and the auditor, over a SOCK_SEQPACKET socket: one record a message, at most
// kMaxAuditRecordBytes, and one receipt for each, in the order in which the records were sent.
namespace bulkhead::ipc {

inline constexpr size_t kMaxAuditRecordBytes = 64 << 10;

struct AuditReceipt {
  uint64_t seq;   // 0: not recorded
  int32_t error;  // of errno, where seq is 0
  int32_t zero;
};
static_assert(sizeof(AuditReceipt) == 16);

}  // namespace bulkhead::ipc
