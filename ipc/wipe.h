#pragma once

#include <capnp/message.h>
#include <string.h>

namespace bulkhead::ipc {

// Overwrites what was written into the message, where it held a secret. It may not be used any
// more.
inline void Wipe(capnp::MessageBuilder& message) {
  for (auto segment : message.getSegmentsForOutput()) {
    auto bytes = segment.asBytes();
    explicit_bzero(const_cast<kj::byte*>(bytes.begin()), bytes.size());
  }
}

}  // namespace bulkhead::ipc
