#include "worker/remove/job.h"

#include <string>

#include "absl/strings/strip.h"
#include "base/fs.h"
#include "base/ids.h"
#include "ipc/status_codec.h"

namespace bulkhead::remove {
namespace {

constexpr size_t kDigestBytes = 32;
constexpr absl::string_view kStagingPrefix = "tmp-";
constexpr size_t kStagingBytes = 16;

absl::Status RemoveLayer(const Places& places, schema::Digest::Reader digest) {
  const auto bytes = digest.getBytes().asChars();
  if (bytes.size() != kDigestBytes)
    return absl::InvalidArgumentError("layer: not a SHA-256 digest");
  return base::RemoveTree(places.layers, base::ToHex({bytes.begin(), bytes.size()}));
}

absl::Status RemoveContainer(const Places& places, const std::string& id) {
  if (!base::IsId(id)) return absl::InvalidArgumentError("container id: not 64 hex digits");
  return base::RemoveTree(places.containers, id);
}

absl::Status RemoveStaging(const Places& places, const std::string& name) {
  absl::string_view digits = name;
  if (!absl::ConsumePrefix(&digits, kStagingPrefix) ||
      base::FromHex(digits).size() != kStagingBytes) {
    return absl::InvalidArgumentError("staging: not tmp- and 32 hex digits");
  }
  return base::RemoveTree(places.layers, name);
}

absl::Status Run(schema::RemoveJob::Reader job, const Places& places) {
  switch (job.which()) {
    case schema::RemoveJob::LAYER:
      return RemoveLayer(places, job.getLayer());
    case schema::RemoveJob::CONTAINER:
      return RemoveContainer(places, job.getContainer());
    case schema::RemoveJob::STAGING:
      return RemoveStaging(places, job.getStaging());
  }
  return absl::InvalidArgumentError("remove: unknown thing");
}

}  // namespace

worker::JobResult RunRemoveJob(schema::RemoveJob::Reader job, const Places& places,
                               schema::RemoveResult::Builder result) {
  ipc::WriteStatus(Run(job, places), result.initStatus());
  return {};
}

}  // namespace bulkhead::remove
