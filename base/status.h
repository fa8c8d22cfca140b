#pragma once

#include <cerrno>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::base {

// A status for a failed system call, "what: strerror"; the code follows the errno (ENOENT is NOT_FOUND, ENOSPC
// and EMFILE are RESOURCE_EXHAUSTED, EACCES and EPERM are PERMISSION_DENIED, EEXIST is ALREADY_EXISTS,
// ETIMEDOUT is DEADLINE_EXCEEDED, others are INTERNAL). Read errno at once: it is the default argument.
absl::Status ErrnoStatus(absl::string_view what, int error = errno);

// "what: " before the message, same code. OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view what);

}  // namespace bulkhead::base

#define BULKHEAD_CONCAT_INNER(a, b) a##b
#define BULKHEAD_CONCAT(a, b) BULKHEAD_CONCAT_INNER(a, b)

#define BULKHEAD_RETURN_IF_ERROR(expr)                              \
  do {                                                              \
    if (absl::Status bulkhead_status = (expr); !bulkhead_status.ok()) \
      return bulkhead_status;                                       \
  } while (false)

#define BULKHEAD_ASSIGN_OR_RETURN(lhs, expr) \
  BULKHEAD_ASSIGN_OR_RETURN_IMPL(BULKHEAD_CONCAT(bulkhead_or_, __LINE__), lhs, expr)
#define BULKHEAD_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                                   \
  if (!tmp.ok()) return std::move(tmp).status();       \
  lhs = *std::move(tmp)
