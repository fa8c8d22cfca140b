#pragma once

#include <kj/exception.h>

#include <type_traits>
#include <utility>

#include "absl/status/status.h"

namespace bulkhead::ipc {

// Runs f, which reads a message from another process, and turns the exception of a malformed one
// into DATA_LOSS. f returns void or a Status, which is passed on. A fiber's cancellation passes.
template <typename F>
absl::Status Guarded(F&& f) {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      std::forward<F>(f)();
      return absl::OkStatus();
    } else {
      return std::forward<F>(f)();
    }
  } catch (const kj::Exception&) {
    // Its text would tell the peer about our inside.
    return absl::DataLossError("malformed message");
  }
}

}  // namespace bulkhead::ipc
