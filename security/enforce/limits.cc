#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "security/enforce/steps.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

namespace bulkhead::security {
namespace {

// Without CAP_SYS_RESOURCE a hard limit only goes down: the lower of the two is what counts.
absl::Status SetLimit(__rlimit_resource resource, rlim_t value) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0) return base::ErrnoStatus("getrlimit");
  limit.rlim_max = std::min(limit.rlim_max, value);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(resource, &limit) != 0) return base::ErrnoStatus("setrlimit");
  return absl::OkStatus();
}

absl::Status CheckRow(const FdRow& row) {
  const int flags = fcntl(row.fd, F_GETFD);
  if (flags < 0) {
    if (row.optional) return absl::OkStatus();
    return base::ErrnoStatus(absl::StrCat("descriptor ", row.fd, " (", row.what, ")"));
  }
  if (fcntl(row.fd, F_SETFD, flags | FD_CLOEXEC) != 0) return base::ErrnoStatus("close-on-exec");
  return absl::OkStatus();
}

// A worker that works for nobody any more; and daemons, which would end by their sockets, but not
// where they hang. The auditor closes its log first; what lasts with a container outlives us all.
bool EndsWithParent(const Profile& profile) {
  return profile.limits.wall_seconds != 0 || profile.kind == Kind::kFrontend ||
         profile.kind == Kind::kBroker || profile.kind == Kind::kStreaming;
}

}  // namespace

absl::Status CloseOtherFds(const Profile& profile, const Places&) {
  unsigned next = 3;
  for (const FdRow& row : profile.fds) {
    BULKHEAD_RETURN_IF_ERROR(CheckRow(row));
    const unsigned fd = static_cast<unsigned>(row.fd);
    if (fd > next && close_range(next, fd - 1, 0) != 0) return base::ErrnoStatus("close_range");
    next = fd + 1;
  }
  if (close_range(next, ~0u, 0) != 0) return base::ErrnoStatus("close_range");
  return absl::OkStatus();
}

absl::Status SetLimits(const Profile& profile, const Places&) {
  BULKHEAD_RETURN_IF_ERROR(SetLimit(RLIMIT_CORE, 0));
  BULKHEAD_RETURN_IF_ERROR(SetLimit(RLIMIT_NOFILE, profile.limits.nofile));
  if (profile.limits.nproc == 0) return absl::OkStatus();
  return SetLimit(RLIMIT_NPROC, profile.limits.nproc);
}

// After the ids: a change of ids resets the first two.
absl::Status SetHygiene(const Profile& profile, const Places&) {
  umask(077);
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return base::ErrnoStatus("not dumpable");
  if (EndsWithParent(profile) && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    return base::ErrnoStatus("end with the parent");
  }
#ifndef BULKHEAD_SANITIZED
  prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);  // Linux 6.3; seccomp says the same
#endif
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::ErrnoStatus("no_new_privs");
  return absl::OkStatus();
}

}  // namespace bulkhead::security
