#pragma once

#include <cstdint>

// The launch worker that has started a command, and the process that carries its streams, over a
// SOCK_SEQPACKET socket pair: one packet when the command has ended. Whoever closes the other end
// before that has the command killed, with all that descends from it.
namespace bulkhead::ipc {

struct ExecEnd {
  int32_t exit_code;  // 128 + signal where a signal ended it
};

}  // namespace bulkhead::ipc
