#include <grp.h>
#include <unistd.h>

#include "base/status.h"
#include "security/enforce/steps.h"

namespace bulkhead::security {

absl::Status SetIds(const Profile& profile, const Places&) {
  const gid_t gid = profile.uid;
  if (setgroups(0, nullptr) != 0) return base::ErrnoStatus("setgroups");
  if (setresgid(gid, gid, gid) != 0) return base::ErrnoStatus("setresgid");
  if (setresuid(profile.uid, profile.uid, profile.uid) != 0) return base::ErrnoStatus("setresuid");
  return absl::OkStatus();
}

}  // namespace bulkhead::security
