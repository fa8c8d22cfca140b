#include "worker/common/cpu_limit.h"

#include <sys/resource.h>

#include "base/status.h"

namespace bulkhead::worker {

absl::Status LimitCpu(uint32_t seconds) {
  if (seconds == 0) return absl::OkStatus();
  // The signal at the soft limit can be told from other deaths; the hard one is for who ignores it.
  const rlimit limit = {.rlim_cur = seconds, .rlim_max = seconds + 1};
  if (setrlimit(RLIMIT_CPU, &limit) != 0) return base::ErrnoStatus("limit the CPU time");
  return absl::OkStatus();
}

}  // namespace bulkhead::worker
