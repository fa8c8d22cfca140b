#include "worker/common/own_limits.h"

#include <sys/resource.h>
#include <unistd.h>

#include <new>

#include "base/status.h"

namespace bulkhead::worker {

absl::Status LimitCpu(uint32_t seconds) {
  if (seconds == 0) return absl::OkStatus();
  // The signal at the soft limit can be told from other deaths; the hard one is for who ignores it.
  const rlimit limit = {.rlim_cur = seconds, .rlim_max = seconds + 1};
  if (setrlimit(RLIMIT_CPU, &limit) != 0) return base::ErrnoStatus("limit the CPU time");
  return absl::OkStatus();
}

absl::Status LimitMemory(uint64_t bytes) {
  std::set_new_handler([] { _exit(kOutOfMemoryExit); });
  const rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
  if (setrlimit(RLIMIT_DATA, &limit) != 0) return base::ErrnoStatus("limit the memory");
  return absl::OkStatus();
}

}  // namespace bulkhead::worker
