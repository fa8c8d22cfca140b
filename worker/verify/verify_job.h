#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "schema/worker/verify.capnp.h"

namespace bulkhead::worker {

inline constexpr size_t kMaxSignatures = 16;

// Sets all of result but its status, which is what it returns.
absl::Status RunVerifyJob(schema::VerifyJob::Reader job, absl::Span<const base::UniqueFd> payloads,
                          schema::VerifyResult::Builder result);

}  // namespace bulkhead::worker
