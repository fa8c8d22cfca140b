#pragma once

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace bulkhead::userinit {

// Makes a PID namespace that belongs to this user namespace, and in it process 1, as the caller's
// child; returns its pidfd. By then it is init by its table, with ids of the user namespace, and
// has no descriptor but the standard streams. It ends with the caller, which must be process 1 of
// its own PID namespace, have one thread, and be root with init's later uid in reach.
absl::StatusOr<base::UniqueFd> StartFirstProcess(int user_namespace);

}  // namespace bulkhead::userinit
