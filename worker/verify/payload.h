#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::worker {

inline constexpr size_t kMaxPayloadBytes = 64 << 10;

// What a simple-signing payload speaks of (containers/image, docs/containers-signature.5).
struct SignedStatement {
  std::string digest;      // 32 bytes, of a manifest or an index
  std::string repository;  // "registry/path", normalised; the tag, where there is one, is left out
};

// INVALID_ARGUMENT: no such document, or one with a critical part that is not known here: what
// cannot be understood must not be passed over.
absl::StatusOr<SignedStatement> ParsePayload(absl::string_view payload);

}  // namespace bulkhead::worker
