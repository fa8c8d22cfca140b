#include "absl/time/clock.h"
#include "base/status.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {

// Images and writable layers lie on one file system.
absl::Status ImageFsInfo(const Call& call, const v1::ImageFsInfoRequest&,
                         v1::ImageFsInfoResponse& response) {
  Question<Broker::ImageFsInfoParams> question;
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::imageFsInfoRequest, question));
  const auto results = answer.results();
  const int64_t now = absl::ToUnixNanos(absl::Now());

  v1::FilesystemUsage* images = response.add_image_filesystems();
  images->set_timestamp(now);
  images->mutable_fs_id()->set_mountpoint(String(results.getMountpoint()));
  images->mutable_used_bytes()->set_value(results.getUsedBytes());
  images->mutable_inodes_used()->set_value(results.getInodesUsed());

  v1::FilesystemUsage* containers = response.add_container_filesystems();
  containers->set_timestamp(now);
  containers->mutable_fs_id()->set_mountpoint(String(results.getMountpoint()));
  containers->mutable_used_bytes()->set_value(results.getContainerBytes());
  containers->mutable_inodes_used()->set_value(results.getContainerInodes());
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
