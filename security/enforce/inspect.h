#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/deadline.h"
#include "security/enforce/enter.h"
#include "security/profile.h"

namespace bulkhead::security {

struct InspectOptions {
  Places places;           // for directory rows; not compared where empty
  bool exact_fds = false;  // nothing open beyond the table: true of a worker before its job
};

// Compares a live process with its table, by what the kernel says of it under /proc: ids, groups,
// capabilities, no_new_privs, seccomp, namespaces (new: not the caller's; host: the caller's),
// descriptors, limits. Returns one line for each difference; none: it is what the table says. The
// caller is root, in the node's namespaces and unconfined. NOT_FOUND: no such process.
absl::StatusOr<std::vector<std::string>> Inspect(const Profile& profile, pid_t pid,
                                                 const InspectOptions& options);

// The same for a process that is just starting: waits until it has entered its profile.
// FAILED_PRECONDITION: at the deadline there still are differences, which the message lists.
absl::Status InspectWhenEntered(const Profile& profile, pid_t pid, const InspectOptions& options,
                                base::Deadline deadline);

}  // namespace bulkhead::security
