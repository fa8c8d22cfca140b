#include "tools/up/pod_policy.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "security/policy/pod_policy_codec.h"

namespace bulkhead::tools {
namespace {

std::string PathIn(const std::string& run_dir) {
  return absl::StrCat(run_dir, "/", security::kPodPolicyFile);
}

}  // namespace

absl::StatusOr<base::UniqueFd> PodPolicyMemfd(const security::PodPolicies& policies) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string bytes, security::EncodePodPolicies(policies));
  return base::MakeSealedMemfd("bulkhead-pod-policy", bytes);
}

absl::Status PublishPodPolicy(const std::string& run_dir, const security::PodPolicies& policies) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string bytes, security::EncodePodPolicies(policies));
  const std::string file = PathIn(run_dir), draft = absl::StrCat(file, ".new");
  if (unlink(draft.c_str()) != 0 && errno != ENOENT) {
    return base::ErrnoStatus(absl::StrCat("remove ", draft));
  }
  base::UniqueFd fd(
      open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return base::ErrnoStatus(absl::StrCat("create ", draft));
  BULKHEAD_RETURN_IF_ERROR(base::WriteAll(fd.get(), bytes));
  if (rename(draft.c_str(), file.c_str()) == 0) return absl::OkStatus();
  return base::ErrnoStatus(absl::StrCat("rename ", draft));
}

void WithdrawPodPolicy(const std::string& run_dir) { unlink(PathIn(run_dir).c_str()); }

}  // namespace bulkhead::tools
