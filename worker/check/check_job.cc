#include "worker/check/check_job.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "worker/check/tree_digest.h"
#include "worker/parse/sha256.h"

namespace bulkhead::worker {
namespace {

absl::StatusOr<HashedContent> HashLayer(schema::Digest::Reader digest, int layers) {
  auto bytes = digest.getBytes().asChars();
  if (bytes.size() != kSha256Bytes) {
    return absl::InvalidArgumentError("layer: not a SHA-256 digest");
  }
  std::string name = base::ToHex({bytes.begin(), bytes.size()});
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd,
                            base::OpenAt(layers, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW,
                                         base::Resolve::kBeneathNoSymlinks));
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return base::ErrnoStatus("stat the layer");
  if (S_ISDIR(st.st_mode)) return HashTree(fd.get());
  if (S_ISREG(st.st_mode)) return HashFile(fd.get());
  return absl::FailedPreconditionError("the layer is neither a directory nor a file");
}

absl::StatusOr<HashedContent> Hash(schema::CheckJob::Reader job,
                                   absl::Span<const base::UniqueFd> fds, int layers) {
  switch (job.which()) {
    case schema::CheckJob::FILE:
      if (fds.size() != 1) return absl::InvalidArgumentError("check job: needs one fd");
      return HashFile(fds[0].get());
    case schema::CheckJob::LAYER:
      return HashLayer(job.getLayer(), layers);
  }
  return absl::InvalidArgumentError("check job: unknown thing");
}

}  // namespace

absl::Status RunCheckJob(schema::CheckJob::Reader job, absl::Span<const base::UniqueFd> fds,
                         int layers, schema::CheckResult::Builder result) {
  BULKHEAD_ASSIGN_OR_RETURN(HashedContent content, Hash(job, fds, layers));
  result.initDigest().setBytes(
      kj::StringPtr(content.digest.c_str(), content.digest.size()).asBytes());
  result.setBytes(content.bytes);
  return absl::OkStatus();
}

}  // namespace bulkhead::worker
