#include "worker/mount/pod_ids.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "security/policy/pod_ids.h"

namespace bulkhead::mount {
namespace {

using base::UniqueFd;

absl::StatusOr<UniqueFd> OpenPin(int pod, const char* name) {
  UniqueFd pin(openat(pod, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct statfs where;
  if (!pin || fstatfs(pin.get(), &where) != 0) {
    return base::ErrnoStatus(absl::StrCat("open the pod's ", name));
  }
  if (where.f_type == NSFS_MAGIC) return pin;
  return absl::FailedPreconditionError(absl::StrCat("the pod's ", name, ": not pinned"));
}

}  // namespace

absl::StatusOr<PodIds> OpenPodIds(schema::MountJob::Reader job, int run) {
  PodIds ids;
  if (job.getPodId().size() == 0) return ids;
  if (!base::IsId(job.getPodId().cStr())) {
    return absl::InvalidArgumentError("pod id: not 64 hex digits");
  }
  const schema::IdMapping::Reader mapping = job.getIdMapping();
  BULKHEAD_RETURN_IF_ERROR(security::CheckPodIds(mapping.getHostId(), mapping.getLength()));
  ids.root = mapping.getHostId();
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd pod,
                            base::OpenAt(run, absl::StrCat("pods/", job.getPodId().cStr()),
                                         O_PATH | O_DIRECTORY, base::Resolve::kBeneathNoSymlinks));
  BULKHEAD_ASSIGN_OR_RETURN(ids.user, OpenPin(pod.get(), "user"));
  BULKHEAD_ASSIGN_OR_RETURN(ids.layers, OpenPin(pod.get(), "layer-ids"));
  return ids;
}

}  // namespace bulkhead::mount
