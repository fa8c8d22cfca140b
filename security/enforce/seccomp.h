#pragma once

#include <linux/filter.h>

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "security/profile.h"

namespace bulkhead::security {

// The rows that count: those of the sets and the kind's own, without the rows that a plain
// allowance of the same call makes void. In order of number.
std::vector<Syscall> EffectiveRows(const Profile& profile);

// The filter of a kFull kind: what a row allows is allowed, all else ends the process. Other
// architectures (i386, x32) end it too. INTERNAL: rows that contradict each other.
absl::StatusOr<std::vector<sock_filter>> ComputeFilter(const Profile& profile);

// The same, computed when the program was built (write_filters.cc), so that a worker neither spends
// time on it at its start nor memory for as long as it lives. Empty for a kind that has no filter.
absl::Span<const sock_filter> CompiledFilter(Kind kind);

// For good, for this thread and those that it will make. Needs no_new_privs.
absl::Status InstallFilter(absl::Span<const sock_filter> filter);

}  // namespace bulkhead::security
