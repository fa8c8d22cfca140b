#include "base/status.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/image_name.h"
#include "frontend/cri/info.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {

absl::Status ImageStatus(const Call& call, const v1::ImageStatusRequest& request,
                         v1::ImageStatusResponse& response) {
  BULKHEAD_ASSIGN_OR_RETURN(
      const auto found, FindImage(call, "image.image", request.image().image(), request.verbose()));
  if (!found.has_value()) return absl::OkStatus();
  const auto results = found->answer.results();
  FromImage(results.getImage(), response.mutable_image());
  if (request.verbose()) {
    (*response.mutable_info())["info"] =
        ImageInfo(results.getImage(), String(results.getConfig()), String(results.getManifest()));
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
