#include "security/enforce/seccomp.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "security/enforce/steps.h"

namespace bulkhead::security {

absl::Status InstallFilter(absl::Span<const sock_filter> filter) {
  const sock_fprog program = {static_cast<unsigned short>(filter.size()),
                              const_cast<sock_filter*>(filter.data())};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0) return absl::OkStatus();
  return base::ErrnoStatus("seccomp");
}

absl::Status ApplySeccomp(const Profile& profile, const Places&) {
#ifdef BULKHEAD_SANITIZED
  base::Log(base::Severity::kWarning,
            "LESS RESTRICTIVE: sanitizer: calls that the table does not list are logged, not fatal",
            {{"kind", profile.name}});
#endif
  const absl::Span<const sock_filter> filter = CompiledFilter(profile.kind);
  if (filter.empty()) return absl::InternalError(absl::StrCat(profile.name, ": no filter"));
  return InstallFilter(filter);
}

}  // namespace bulkhead::security
