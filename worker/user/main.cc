// SECURITY: holds one root file system, of which it may read only; no network, no other process.
// The broker gives it its job; passwd and group come from whoever built the image. Who owns this
// process can give one container wrong ids, also 0: the broker applies the pod's rules (run as
// non-root) to the answer, and what the container may do as that id is the pod's own affair.
#include "ipc/status_codec.h"
#include "schema/worker/user.capnp.h"
#include "security/enforce/enter.h"
#include "security/profile.h"
#include "worker/common/worker.h"
#include "worker/user/lookup.h"

namespace bulkhead::worker {
namespace {

LookupRequest ReadRequest(schema::UserJob::Reader job) {
  LookupRequest request;
  request.user = std::string(job.getUser());
  request.has_gid = job.getHasGid();
  request.gid = job.getGid();
  for (uint32_t gid : job.getSupplementalGids()) request.supplemental_gids.push_back(gid);
  request.strict = job.getStrict();
  return request;
}

absl::Status Run(schema::UserJob::Reader job, const std::vector<base::UniqueFd>& fds,
                 schema::UserResult::Builder result) {
  if (fds.size() != 1) return absl::InvalidArgumentError("user job: needs one fd");
  const int rootfs = fds[0].get();
  if (absl::Status status = security::ConfineToDirectories({rootfs}, security::Access::kRead);
      !status.ok()) {
    return status;
  }
  absl::StatusOr<ResolvedUser> user = LookUpUser(rootfs, ReadRequest(job));
  if (!user.ok()) return user.status();
  schema::UserIds::Builder ids = result.initUser();
  ids.setUid(user->uid);
  ids.setGid(user->gid);
  auto gids = ids.initAdditionalGids(user->additional_gids.size());
  for (size_t i = 0; i < user->additional_gids.size(); ++i) gids.set(i, user->additional_gids[i]);
  result.setHome(user->home);
  result.setUsername(user->username);
  return absl::OkStatus();
}

}  // namespace
}  // namespace bulkhead::worker

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::UserJob, schema::UserResult>(
      security::kUserProfile, 1, [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        ipc::WriteStatus(worker::Run(job, fds, result), result.initStatus());
        return worker::JobResult{};
      });
}
