#include "worker/signal/job.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cgroup.h"
#include "base/cgroup_path.h"
#include "base/ids.h"
#include "base/status.h"
#include "ipc/status_codec.h"

namespace bulkhead::signal {
namespace {

constexpr int kLastSignal = 64;

base::CgroupMode Mode(schema::Host::CgroupMode mode) {
  switch (mode) {
    case schema::Host::CgroupMode::V1:
      return base::CgroupMode::kV1;
    case schema::Host::CgroupMode::HYBRID:
      return base::CgroupMode::kHybrid;
    case schema::Host::CgroupMode::V2:
      break;
  }
  return base::CgroupMode::kV2;
}

absl::Status SendTo(int pidfd, int number) {
  if (number < 1 || number > kLastSignal) {
    return absl::InvalidArgumentError(absl::StrCat("signal ", number, ": not 1 to 64"));
  }
  if (syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0) == 0) return absl::OkStatus();
  if (errno == ESRCH) return absl::NotFoundError("signal: the process has ended");
  if (errno == EBADF) return absl::InvalidArgumentError("signal: the descriptor is no pidfd");
  return base::ErrnoStatus("signal");
}

// The container's id in the cgroup's own name: a wrong path must not end a pod, or the node.
absl::Status KillAll(schema::SignalJob::Reader job, int cgroups) {
  const std::string id = job.getContainerId();
  if (!base::IsId(id)) return absl::InvalidArgumentError("container id: not 64 hex digits");
  BULKHEAD_ASSIGN_OR_RETURN(const std::string path, base::CgroupPath(job.getCgroup().cStr()));
  if (!absl::StrContains(path.substr(path.rfind('/')), id)) {
    return absl::InvalidArgumentError("cgroup: not the container's own");
  }
  return base::KillCgroup(cgroups, Mode(job.getCgroupMode()), path);
}

absl::Status Run(schema::SignalJob::Reader job, const std::vector<base::UniqueFd>& fds,
                 int cgroups) {
  if (job.getWholeCgroup()) return KillAll(job, cgroups);
  if (fds.size() != 1) return absl::InvalidArgumentError("signal: one pidfd is needed");
  return SendTo(fds[0].get(), job.getSignal());
}

}  // namespace

worker::JobResult RunSignalJob(schema::SignalJob::Reader job, std::vector<base::UniqueFd> fds,
                               int cgroups, schema::SignalResult::Builder result) {
  ipc::WriteStatus(Run(job, fds, cgroups), result.initStatus());
  return {};
}

}  // namespace bulkhead::signal
